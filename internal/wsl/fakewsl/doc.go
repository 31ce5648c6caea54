// Package fakewsl is a stand-in for wsl.exe in tests. It takes the arguments of
// microsoft/WSL's wsl.exe (src/windows/common/WslClient.cpp), keeps its order of
// checks and its error codes (LxssUserSession.cpp), writes UTF-16LE unless
// WSL_UTF8=1 reaches it, and, as the real one, has a service that goes on
// reading the archive when wsl.exe itself is killed.
//
// The environment decides the rest:
//
//	FAKEWSL_STATE    folder of the registrations and of the log of calls
//	FAKEWSL_DRIVE    on Linux: the folder that stands for C:\
//	FAKEWSL_BSDTAR   program that extracts; without it the archive is read by
//	                 archive/tar, which takes and refuses the same, and kept
//	FAKEWSL_FAULT    what goes wrong, see fault
//	FAKEWSL_LANG     "de": messages in German
//	FAKEWSL_OLD      "1": a version that knows no WSL_UTF8
package fakewsl
