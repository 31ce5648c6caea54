// Package convert is the pipeline, the only place that sees every stage:
//
//	file ── image ──► Device ── volume ──► Volumes ── fsys ──► FS ── tree.Load ──► Tree
//	        raw, qcow2          GPT, MBR              ext4, xfs        │ fstab: other volumes mounted
//	                                                                   ▼
//	OUT ◄── sink ◄────────────────────────────────────────────────── edits
//	        tar, tar.gz, …      contents read in disk order
//
// All metadata is read first, edited in memory, and only then are contents
// streamed, in the order in which they lie on the disk: every piece of the
// archive has a known place before the first byte of content is read, so that
// workers can make the pieces independently.
package convert
