package mimecast

import (
	"io"
	"net/http"
)

// maxEnvelope bounds an answer that is read into memory: an error, a page.
const maxEnvelope = 32 << 20

// answer is what came for a request. Close its body.
type answer struct {
	auth      Auth
	request   *http.Request
	endpoint  Endpoint
	header    http.Header
	mediaType string // without parameters, lower case
	body      io.ReadCloser
}
