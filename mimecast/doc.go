// Package mimecast is a client of Mimecast's REST API 1.0: it signs requests,
// makes them, tells answers from refusals, and says how long to wait after one.
//
// A call makes one try. What to do after an error is the caller's: ask
// [Backoff] how long to wait, and show the user the error's text and [Hint].
// All of it is safe for concurrent use unless said otherwise.
//
// # Adding a log
//
// A log that is served in pages takes one file: its path, its filters and the
// names of its fields, as in impersonation.go.
package mimecast
