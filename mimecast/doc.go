// Package mimecast is a client of Mimecast's REST APIs 1.0 and 2.0: it authorizes
// requests, makes them, tells answers from refusals, and says how long to wait
// after one. The [Auth] of a client decides which API it speaks.
//
// A call makes one try. What to do after an error is the caller's: ask
// [Backoff] how long to wait, and [APIError.Cause] what a user can do.
// A [Client] is safe for concurrent use. Mimecast's documentation of the APIs:
// https://integrations.mimecast.com/documentation/ (1.0) and
// https://developer.services.mimecast.com/ (2.0).
//
// # Adding a log
//
// A log that is served in pages takes one file with its row and, if it has some,
// its filters, as in impersonation.go, and one line in [Logs].
package mimecast
