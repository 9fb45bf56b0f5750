// Package collector gets logs from Mimecast to the hand-over and positions to
// the checkpoint file.
//
// A stream is one kind of log with a position of its own. It polls ahead in
// goroutines and puts pieces, which are runs of encoded records, into a bounded
// queue. [Handover] takes them from there to the host, on the host's thread.
// Each piece carries what becomes of its stream's position once its records
// are in a chunk of the host; [Handover] finds out when that is, and only then
// is the position written:
//
//	poll ──> decode ──> queue ──> Handover ──> host
//	                                 │ the host counted a later append
//	                                 v
//	                             committer ──> checkpoint
//
// # Adding a stream
//
// A log that is served in pages takes its file in package mimecast and a line
// in the table in streams.go.
package collector
