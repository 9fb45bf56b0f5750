// Package collector asks Mimecast for logs, and decides what to ask next.
//
// A stream is one log with a position of its own. Its poller asks in goroutines,
// ahead of the hand-over, and puts records and positions into a
// [delivery.Writer]:
//
//	fetch ──> decode ──> delivery.Writer
//
// Decoding a batch makes no request. What is odd in one is returned to the poller,
// which asks again and decides.
//
// # Adding a log
//
// A log that is served in pages takes its file in package mimecast and a line
// in the table there.
package collector
