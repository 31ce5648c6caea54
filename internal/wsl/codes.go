package wsl

// Codes that the program acts on.
const (
	codeExists       = "ERROR_ALREADY_EXISTS"
	codeFolderExists = "ERROR_FILE_EXISTS"
	codeBusy         = "E_ILLEGAL_STATE_CHANGE"
	codeNotFound     = "WSL_E_DISTRO_NOT_FOUND"
	codeNoDistro     = "WSL_E_DEFAULT_DISTRO_NOT_FOUND"
	codeImportFailed = "WSL_E_IMPORT_FAILED"
	codeDiskFull     = "ERROR_DISK_FULL"
	codeInvalid      = "E_INVALIDARG"
	// codeExtract is ours: WSL_E_IMPORT_FAILED with a message of the extracting
	// program, which is then the text.
	codeExtract = "import failed with a message"
)

// known are the codes worth a plain sentence and advice. Names and meaning:
// wslservice.idl, g_commonErrors in wslutil.cpp, winerror.h.
var known = map[string]struct{ what, hint string }{
	codeExists:       {"a distribution of this name exists", "choose another with --name, or remove that one: wsl --unregister NAME"},
	codeFolderExists: {"the folder belongs to another distribution", "choose another with --location"},
	codeBusy:         {"another installation or removal of this distribution is under way", "wait until it ends; wsl --list --verbose shows it"},
	codeNotFound:     {"there is no distribution of this name", "wsl --list shows the names"},
	codeImportFailed: {"the archive could not be extracted", "try --via-file; if that fails too, wsl --update"},
	codeExtract:      {"", "try --via-file; if that fails too, wsl --update"},
	codeDiskFull:     {"the disk is full", "free some space, or choose another drive with --location"},
	codeInvalid:      {"an argument is refused", ""},

	"WSL_E_NOT_A_LINUX_DISTRO": {"the archive holds no Linux root: neither /etc nor /bin/sh",
		"wslimg inspect shows what the image holds; choose another --volume"},
	"HCS_E_HYPERV_NOT_INSTALLED": {"virtualisation is off",
		"switch it on in the firmware and install the Virtual Machine Platform: wsl --install --no-distribution; or use --version 1"},
	"WSL_E_VIRTUAL_MACHINE_PLATFORM_REQUIRED": {"the Virtual Machine Platform is not installed",
		"run wsl --install --no-distribution as administrator and restart Windows"},
	"WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED": {"the Windows Subsystem for Linux is not installed",
		"run wsl --install --no-distribution as administrator and restart Windows"},
	"REGDB_E_CLASSNOTREG": {"the Windows Subsystem for Linux is not installed",
		"run wsl --install --no-distribution as administrator and restart Windows"},
	"HCS_E_SERVICE_NOT_AVAILABLE": {"the virtual machine service of Windows does not run",
		"run wsl --install --no-distribution as administrator and restart Windows"},
	"HCS_E_CONNECTION_TIMEOUT": {"the virtual machine of WSL does not answer", "run wsl --shutdown and try again"},
	"WSL_E_VM_CRASHED":         {"the virtual machine of WSL crashed", "run wsl --shutdown and try again; wsl --update may help"},
	"WSL_E_WSL1_NOT_SUPPORTED": {"WSL 1 is not installed",
		"use --version 2, or run wsl --install --enable-wsl1 as administrator"},
	"WSL_E_WSL1_DISABLED":           {"WSL 1 is forbidden by the policy of this computer", "use --version 2"},
	"WSL_E_VM_MODE_NOT_SUPPORTED":   {"this Windows has no WSL 2", "use --version 1, or update Windows"},
	"WSL_E_WSL2_NEEDED":             {"this needs WSL 2", "use --version 2"},
	"WSL_E_OS_NOT_SUPPORTED":        {"this Windows is too old", "update Windows"},
	"WSL_E_USER_NOT_FOUND":          {"the distribution has no such user", "choose one of its /etc/passwd"},
	"WSL_E_CUSTOM_KERNEL_NOT_FOUND": {"the kernel named in .wslconfig does not exist", "correct kernel= in %USERPROFILE%\\.wslconfig"},
	"WSL_E_LOCAL_SYSTEM_NOT_SUPPORTED": {"WSL does not run for the LocalSystem account",
		"run wslimg as the user who will use the distribution"},
	"WSL_E_LOWER_INTEGRITY":  {"WSL runs with other rights than this console", "use a console without administrator rights"},
	"WSL_E_HIGHER_INTEGRITY": {"WSL runs with other rights than this console", "use a console of the kind in which WSL was started"},
	"ERROR_ACCESS_DISABLED_BY_POLICY": {"WSL is forbidden by the policy of this computer",
		"ask whoever looks after this computer"},
	"E_ACCESSDENIED":          {"access is denied", "choose a folder that you may write to with --location"},
	"ERROR_PATH_NOT_FOUND":    {"the folder in which the distribution shall lie does not exist", "create it, or choose another with --location"},
	"ERROR_FILE_NOT_FOUND":    {"a file does not exist", ""},
	"ERROR_SHARING_VIOLATION": {"the virtual disk is in use by another program", "run wsl --shutdown; a virus scanner may hold it"},
	"ERROR_FILE_SYSTEM_LIMITATION": {"the folder is compressed or encrypted, which WSL does not take",
		"choose another with --location, or clear those attributes of the folder"},
	"ERROR_VIRTUAL_DISK_LIMITATION": {"the folder is compressed, encrypted or sparse, which WSL does not take",
		"choose another with --location, or clear those attributes of the folder"},
	"ERROR_INVALID_NAME":        {"Windows takes no folder of this name", "choose another with --location"},
	"ERROR_SERVICE_DISABLED":    {"the service of WSL is switched off", "run sc.exe config wslservice start= demand as administrator"},
	"ERROR_SERVICE_NOT_ACTIVE":  {"the service of WSL does not run", "run wsl --shutdown, or restart Windows"},
	"ERROR_CANCELLED":           {"cancelled", ""},
	"E_OUTOFMEMORY":             {"Windows is out of memory", "close other programs, or limit memory= in %USERPROFILE%\\.wslconfig"},
	"ERROR_NO_SYSTEM_RESOURCES": {"Windows is out of memory", "close other programs, or limit memory= in %USERPROFILE%\\.wslconfig"},
	"ERROR_NOT_READY":           {"the drive is not ready", "choose another with --location"},
	"ERROR_VERSION_PARSE_ERROR": {"there is no such version of WSL", "--version is 1 or 2"},
	"RPC_S_SERVER_UNAVAILABLE":  {"the service of WSL does not answer", "run wsl --shutdown, or restart Windows"},
	"RPC_S_CALL_FAILED":         {"the service of WSL ended in the middle", "run wsl --shutdown and try again"},
	"CO_E_SERVER_EXEC_FAILURE":  {"the service of WSL does not start", "wsl --update, or restart Windows"},
	"WSL_E_DISK_CORRUPTED":      {"the new virtual disk is damaged", "check the drive, or choose another with --location"},
	"WSL_E_PLUGIN_REQUIRES_UPDATE": {"a plugin of WSL wants a newer WSL",
		"run wsl --update"},
}

// numbers are the names of codes that older versions print as HRESULTs.
var numbers = map[string]string{
	"0x800700b7": codeExists,
	"0x80070050": codeFolderExists,
	"0x80070070": codeDiskFull,
	"0x80070005": "E_ACCESSDENIED",
	"0x80070003": "ERROR_PATH_NOT_FOUND",
	"0x80070002": "ERROR_FILE_NOT_FOUND",
	"0x80070020": "ERROR_SHARING_VIOLATION",
	"0x80070299": "ERROR_FILE_SYSTEM_LIMITATION",
	"0xc03a001a": "ERROR_VIRTUAL_DISK_LIMITATION",
	"0x80070057": codeInvalid,
	"0x8007000e": "E_OUTOFMEMORY",
	"0x800705aa": "ERROR_NO_SYSTEM_RESOURCES",
	"0x800706ba": "RPC_S_SERVER_UNAVAILABLE",
	"0x800706be": "RPC_S_CALL_FAILED",
	"0x80040154": "REGDB_E_CLASSNOTREG",
	"0x80080005": "CO_E_SERVER_EXEC_FAILURE",
	"0x80370102": "HCS_E_HYPERV_NOT_INSTALLED",
	"0x80370114": "HCS_E_SERVICE_NOT_AVAILABLE",
	"0x80370109": "HCS_E_CONNECTION_TIMEOUT",
	"0x8000000d": codeBusy,
	"0x80040301": codeNoDistro,
	"0x80040302": codeNotFound,
	"0x80040303": "WSL_E_WSL1_NOT_SUPPORTED",
	"0x80040304": "WSL_E_VM_MODE_NOT_SUPPORTED",
	"0x80040308": "WSL_E_USER_NOT_FOUND",
	"0x8004030b": codeImportFailed,
	"0x80040326": "WSL_E_NOT_A_LINUX_DISTRO",
}
