package hostfile

import "strings"

// WindowsDevice is the device that Windows takes a file name for, whatever
// follows the first dot, such as "CON" for con.txt; "" if it takes it for a file
// (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
func WindowsDevice(name string) string {
	base, _, _ := strings.Cut(name, ".")
	base, _, _ = strings.Cut(base, ":")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return base
	}
	port, ok := strings.CutPrefix(base, "COM")
	if !ok {
		port, ok = strings.CutPrefix(base, "LPT")
	}
	if ok && len([]rune(port)) == 1 && strings.Contains("0123456789¹²³", port) {
		return base
	}
	return ""
}
