package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one way an answer can be wrong. The zero value is no fault.
type Fault string

// Faults of any answer.
const (
	// FaultRateLimited is a 429 whose reset header says how long the window lasts.
	FaultRateLimited Fault = "rate_limited"
	// FaultServerError is a 500, 502, 503 or 504 in turn; only the 500 is JSON.
	FaultServerError Fault = "server_error"
	// FaultHTML is a 200 with an HTML page, as a proxy or a login page sends.
	FaultHTML Fault = "html"
	// FaultFailRetryable is a 200 with a fail that says retryable.
	FaultFailRetryable Fault = "fail_retryable"
	// FaultFailFinal is a 200 with a fail that says not retryable.
	FaultFailFinal Fault = "fail_final"
	// FaultBodyCut is a connection closed properly after half the body that
	// Content-Length promised.
	FaultBodyCut Fault = "body_cut"
	// FaultReset is a TCP reset after half the body. A writer that has no TCP
	// connection to give up makes it FaultBodyCut.
	FaultReset Fault = "reset"
	// FaultStall sends headers and then nothing, until the client gives up or
	// the server is closed.
	FaultStall Fault = "stall"
	// FaultKeyExpired is a 418, err_xdk_binding_expired.
	FaultKeyExpired Fault = "key_expired"
	// FaultForbidden is a 403: the application may not read this log.
	FaultForbidden Fault = "forbidden"
	// FaultUnauthorized is a 401 for a signature that was right.
	FaultUnauthorized Fault = "unauthorized"
)

// Faults of the SIEM endpoint. Those of archives only hit answers to
// compress true; the others hit any batch.
const (
	// FaultNotAZip is random bytes where the archive should be, with its headers.
	FaultNotAZip Fault = "not_a_zip"
	// FaultZipCut is an archive without its last third, and a Content-Length to
	// match.
	FaultZipCut Fault = "zip_cut"
	// FaultZipBadChecksum gives the first entry a wrong CRC; its data are right.
	FaultZipBadChecksum Fault = "zip_bad_checksum"
	// FaultZipBomb puts an entry of [Config.BombSize] bytes in front: white space
	// in a log file of no records, about a thousandth of that as sent.
	FaultZipBomb Fault = "zip_bomb"
	// FaultZipEmpty is an archive with no entries. A transient one gives a next
	// token for the same batch, so a client that goes on loses nothing.
	FaultZipEmpty Fault = "zip_empty"
	// FaultZipHostileNames has entries named ../../../tmp/x, /etc/x, ..\..\x and
	// C:\x, x being the right name; with compress false, the file is so named.
	FaultZipHostileNames Fault = "zip_hostile_names"
	// FaultFileEmpty puts a file without content in front of the others; with
	// compress false it is the answer, and the next token leads to the rest.
	FaultFileEmpty Fault = "file_empty"
	// FaultFilePoisoned is FaultFileEmpty with a file that is cut after
	// `{ "type" : "MTA", "data" : `, in either format.
	FaultFilePoisoned Fault = "file_poisoned"
	// FaultNoToken leaves mc-siem-token out of a batch.
	FaultNoToken Fault = "no_token"
	// FaultInvalidToken refuses the token that was given, new as it may be.
	FaultInvalidToken Fault = "invalid_token"
)

// Faults of the impersonation endpoint.
const (
	// FaultPageEmptyWithNext is a page without events whose next leads to the
	// page that was asked for.
	FaultPageEmptyWithNext Fault = "page_empty_with_next"
	// FaultPageTokenStale refuses the page token that was given.
	FaultPageTokenStale Fault = "page_token_stale"
)

// Faults returns all faults.
func Faults() []Fault {
	return []Fault{
		FaultRateLimited, FaultServerError, FaultHTML, FaultFailRetryable, FaultFailFinal,
		FaultBodyCut, FaultReset, FaultStall, FaultKeyExpired, FaultForbidden, FaultUnauthorized,
		FaultNotAZip, FaultZipCut, FaultZipBadChecksum, FaultZipBomb, FaultZipEmpty,
		FaultZipHostileNames, FaultFileEmpty, FaultFilePoisoned, FaultNoToken, FaultInvalidToken,
		FaultPageEmptyWithNext, FaultPageTokenStale,
	}
}

// ParseFaults reads a comma-separated list of faults; white space and empty
// parts do not matter. It returns an error for a fault there is not.
func ParseFaults(list string) ([]Fault, error) {
	var faults []Fault
	for part := range strings.SplitSeq(list, ",") {
		f := Fault(strings.TrimSpace(part))
		if f == "" {
			continue
		}
		if !slices.Contains(Faults(), f) {
			return nil, fmt.Errorf("simulator: unknown fault %q", f)
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// scene is what decides which faults can hit an answer that would be right.
type scene struct {
	path      string
	batch     bool // it has log files
	zip       bool // in an archive
	token     bool // the request gave a SIEM token
	page      bool // it is a page of events
	pageToken bool // the request gave a page token
}

// fits reports whether the fault can be seen in such an answer.
func (f Fault) fits(at scene) bool {
	switch f {
	case "":
		return false
	case FaultNotAZip, FaultZipCut, FaultZipBadChecksum, FaultZipBomb, FaultZipEmpty:
		return at.zip
	case FaultZipHostileNames, FaultFileEmpty, FaultFilePoisoned, FaultNoToken:
		return at.batch
	case FaultInvalidToken:
		return at.token
	case FaultPageEmptyWithNext:
		return at.page
	case FaultPageTokenStale:
		return at.pageToken
	}
	return true
}

// addsFile reports whether the fault is a file too many.
func (f Fault) addsFile() bool { return f == FaultFileEmpty || f == FaultFilePoisoned }

// spares reports whether records of the log type at index of reach the client
// whatever mode it asks for, when their batch has the fault.
func (f Fault) spares(of int) bool {
	switch f {
	case "", FaultFileEmpty, FaultFilePoisoned, FaultZipBomb, FaultZipHostileNames:
		return true
	case FaultZipBadChecksum:
		return of != 0
	}
	return false
}

// inArchive reports whether the fault is in an archive or its entries' names.
func (f Fault) inArchive() bool {
	switch f {
	case FaultNotAZip, FaultZipCut, FaultZipBadChecksum, FaultZipBomb, FaultZipEmpty, FaultZipHostileNames:
		return true
	}
	return false
}
