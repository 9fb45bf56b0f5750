// Package delivery hands encoded records over to the host, and finds out when
// they are safe.
//
// A [Writer] makes pieces, which are runs of records of one log, and puts them
// into a bounded [Queue] in goroutines. [Handover] takes them from there to the
// host, on the host's thread. Each piece carries the change of its log's position.
// The ledger finds out when the records before that change are in a chunk of the
// host. Only then does the [Committer] write it:
//
//	Writer ──> Queue ──> Handover ──> host
//	                        │ the host counted a later append
//	                        v
//	                    Committer ──> checkpoint
package delivery
