// Package mimecast is a client of Mimecast's REST API 1.0: it authorizes requests,
// makes them, tells answers from refusals, and says how long to wait after one.
//
// A call makes one try. What to do after an error is the caller's: ask
// [Backoff] how long to wait, and [APIError.Cause] what a user can do.
// A [Client] is safe for concurrent use. Mimecast's documentation of the API:
// https://integrations.mimecast.com/documentation/
//
// # Adding a log
//
// A log that is served in pages takes one file with its row and, if it has some,
// its filters, as in impersonation.go, and one line in [Logs].
package mimecast
