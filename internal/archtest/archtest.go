// Package archtest holds the rules of which package may import which, as a
// test: the data flows from the image to the archive, and imports never turn
// back.
package archtest
