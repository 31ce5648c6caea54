package wsl

import "strings"

// CommandLine is how program and args are typed in a Windows console. What
// cmd.exe and PowerShell both need quoted is quoted.
func CommandLine(program string, args ...string) string {
	var b strings.Builder
	b.WriteString(program)
	for _, a := range args {
		b.WriteByte(' ')
		if a == "" || strings.ContainsAny(a, " \t&|<>^%!'`(){};,=~$@#") {
			a = `"` + a + `"` // Windows paths hold no quotation marks
		}
		b.WriteString(a)
	}
	return b.String()
}
