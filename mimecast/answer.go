package mimecast

import (
	"io"
	"net/http"
)

// Bounds, in bytes.
const (
	maxEnvelope    = 32 << 20 // of an answer that is read into memory: an error, a page
	maxTokenAnswer = 64 << 10 // of an answer that gives an OAuth 2 token
	maxToken       = 16 << 10 // of the opaque tokens that are kept and sent back
)

// answer is what came for a request. Close its body.
type answer struct {
	auth      Auth
	refusals  *streak // of the client; nil when requests carry no token
	request   *http.Request
	endpoint  Endpoint
	header    http.Header
	mediaType string // without parameters, lower case
	body      io.ReadCloser
}
