// Package deflate reads and writes raw deflate streams (RFC 1951) that lie whole
// in memory: the clusters of compressed qcow2 images, and the gzip stream of an
// archive. Working buffer to buffer it needs no reader or writer in its inner
// loops, which is what makes it several times faster than the general packages.
package deflate
