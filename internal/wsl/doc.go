// Package wsl drives wsl.exe: finding it, on Windows and from inside a
// distribution, running it, understanding what it answers, and registering a
// distribution from a stream so that nothing half-made is left behind.
//
// What wsl.exe does is taken from its source, https://github.com/microsoft/WSL;
// the names of its functions stand in the comments.
package wsl
