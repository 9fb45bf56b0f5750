package simulator

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one way an answer can be wrong. The zero value is no fault.
type Fault string

// Faults of any answer, but for what is said of one.
const (
	// FaultRateLimited is a 429 whose reset header says how long the window lasts.
	// The store of links has none.
	FaultRateLimited Fault = "rate_limited"
	// FaultServerError is a 500, 502, 503 or 504 (API 2.0: 509) in turn; only the
	// 500 is JSON, or XML from the store of links.
	FaultServerError Fault = "server_error"
	// FaultHTML is a 200 with an HTML page, as a proxy or a login page sends.
	FaultHTML Fault = "html"
	// FaultFailRetryable is a 200 with a fail that says retryable. Like
	// FaultFailFinal it is one of the SIEM logs of API 1.0 and of pages of events.
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
	// FaultKeyExpired is a 418, err_xdk_binding_expired. Only API 1.0 has it.
	FaultKeyExpired Fault = "key_expired"
	// FaultForbidden is a 403: the application may not read this log.
	FaultForbidden Fault = "forbidden"
	// FaultUnauthorized is a 401 for a signature or a bearer token that was right.
	FaultUnauthorized Fault = "unauthorized"
)

// Faults of the SIEM endpoint of API 1.0. Those of archives hit answers to
// compress true, and but for FaultZipEmpty and FaultZipHostileNames the gzip
// behind a link; the others hit any batch.
const (
	// FaultNotAZip is random bytes where the archive should be, with its headers.
	FaultNotAZip Fault = "not_a_zip"
	// FaultZipCut is an archive without its last third, and a Content-Length to
	// match.
	FaultZipCut Fault = "zip_cut"
	// FaultZipBadChecksum gives the first entry, or the gzip, a wrong CRC; its data
	// are right.
	FaultZipBadChecksum Fault = "zip_bad_checksum"
	// FaultZipBomb puts an entry of [Config.BombSize] bytes in front: white space
	// in a log file of no records, about a thousandth of that as sent. In a gzip it
	// is a blank line in front of the others.
	FaultZipBomb Fault = "zip_bomb"
	// FaultZipEmpty is an archive with no entries. A transient one gives a next
	// token for the same batch, so a client that goes on loses nothing.
	FaultZipEmpty Fault = "zip_empty"
	// FaultZipHostileNames has entries named ../../../tmp/x, /etc/x, ..\..\x and
	// C:\x, x being the right name; with compress false, the file is so named.
	FaultZipHostileNames Fault = "zip_hostile_names"
	// FaultFileEmpty puts a file without content in front of the others; with
	// compress false it is the answer, and the next token leads to the rest. In a
	// page of links, a link to it is in front.
	FaultFileEmpty Fault = "file_empty"
	// FaultFilePoisoned is FaultFileEmpty with a file that is cut after
	// `{ "type" : "MTA", "data" : `, in either format.
	FaultFilePoisoned Fault = "file_poisoned"
	// FaultNoToken leaves mc-siem-token out of a batch, @nextPage out of a page of
	// links.
	FaultNoToken Fault = "no_token"
	// FaultInvalidToken refuses the token or cursor that was given, new as it may
	// be.
	FaultInvalidToken Fault = "invalid_token"
)

// Faults of pages.
const (
	// FaultPageEmptyWithNext is a page without events or links whose next leads to
	// the page that was asked for.
	FaultPageEmptyWithNext Fault = "page_empty_with_next"
	// FaultPageTokenStale refuses the page token that was given.
	FaultPageTokenStale Fault = "page_token_stale"
)

// Faults of API 2.0: refusals of what was right.
const (
	// FaultInvalidClient is a 401 InvalidClientIdentifier, also with a good bearer
	// token.
	FaultInvalidClient Fault = "invalid_client"
	// FaultTokenExpired is a 401 token_expired.
	FaultTokenExpired Fault = "token_expired"
	// FaultTokenUnverified is a 401 token_verification_failed.
	FaultTokenUnverified Fault = "token_unverified"
	// FaultValidation is a 400 for a request that was right.
	FaultValidation Fault = "validation"
)

// Faults of API 2.0: links and the files behind them. None loses a record: a file
// has all of them, or a page leads to it once more.
const (
	// FaultLinkTwice has the first link of a page twice, with two signatures.
	FaultLinkTwice Fault = "link_twice"
	// FaultLinkExpired is a 403 from the store, as after the link's expiry.
	FaultLinkExpired Fault = "link_expired"
	// FaultLinkGone is a 404 from the store.
	FaultLinkGone Fault = "link_gone"
	// FaultContentEncoding sends the file with Content-Encoding: gzip.
	FaultContentEncoding Fault = "content_encoding"
	// FaultGzipMembers is a gzip of three members, an empty one in the middle; the
	// first ends within a line.
	FaultGzipMembers Fault = "gzip_members"
	// FaultNoLastNewline leaves out the last line end.
	FaultNoLastNewline Fault = "no_last_newline"
	// FaultBlankLine has a blank line in the middle.
	FaultBlankLine Fault = "blank_line"
	// FaultLongLine makes the record in the middle a line of 1,000,000 bytes, by
	// white space.
	FaultLongLine Fault = "long_line"
	// FaultLineBroken has a line too many in the middle, which ends within a
	// string.
	FaultLineBroken Fault = "line_broken"
	// FaultBadUTF8 gives the record in the middle a field with a byte that is not
	// UTF-8, which [Server.Expected] tells as U+FFFD. It never passes: it fits a file
	// that has it for good.
	FaultBadUTF8 Fault = "bad_utf8"
)

// Faults returns the faults of API 1.0.
func Faults() []Fault {
	return []Fault{
		FaultRateLimited, FaultServerError, FaultHTML, FaultFailRetryable, FaultFailFinal,
		FaultBodyCut, FaultReset, FaultStall, FaultKeyExpired, FaultForbidden, FaultUnauthorized,
		FaultNotAZip, FaultZipCut, FaultZipBadChecksum, FaultZipBomb, FaultZipEmpty,
		FaultZipHostileNames, FaultFileEmpty, FaultFilePoisoned, FaultNoToken, FaultInvalidToken,
		FaultPageEmptyWithNext, FaultPageTokenStale,
	}
}

// EventFaults returns the faults of API 2.0 that pass.
func EventFaults() []Fault {
	return []Fault{
		FaultRateLimited, FaultServerError, FaultHTML, FaultFailRetryable, FaultFailFinal,
		FaultBodyCut, FaultReset, FaultStall, FaultForbidden, FaultUnauthorized,
		FaultNotAZip, FaultZipCut, FaultZipBadChecksum, FaultZipBomb, FaultFileEmpty,
		FaultNoToken, FaultInvalidToken, FaultPageEmptyWithNext, FaultPageTokenStale,
		FaultInvalidClient, FaultTokenExpired, FaultTokenUnverified, FaultValidation,
		FaultLinkTwice, FaultLinkExpired, FaultLinkGone, FaultContentEncoding, FaultGzipMembers,
		FaultNoLastNewline, FaultBlankLine, FaultLongLine, FaultLineBroken,
	}
}

func (f Fault) known() bool {
	return f == FaultBadUTF8 || slices.Contains(Faults(), f) || slices.Contains(EventFaults(), f)
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
		if !f.known() {
			return nil, fmt.Errorf("simulator: unknown fault %q", f)
		}
		faults = append(faults, f)
	}
	return faults, nil
}

// scene is what decides which faults can hit an answer that would be right.
type scene struct {
	path      string
	by        entitlement
	batch     bool // it has log files
	zip       bool // in an archive
	token     bool // the request gave a SIEM token or a cursor
	page      bool // it is a page of events
	pageToken bool // the request gave a page token
	links     bool // it is a page of links
	lasting   bool // the fault is there for good
}

// entitlement is what a request is answered for.
type entitlement uint8

const (
	bySignature entitlement = iota // API 1.0
	byClient                       // API 2.0: for a bearer token
	byBearer
	byLink
)

// fits reports whether the fault can be seen in such an answer.
func (f Fault) fits(at scene) bool {
	switch f {
	case "":
		return false
	case FaultRateLimited, FaultForbidden, FaultUnauthorized:
		return at.by != byLink
	case FaultFailRetryable, FaultFailFinal:
		return at.by == bySignature || at.page
	case FaultKeyExpired:
		return at.by == bySignature
	case FaultInvalidClient:
		return at.by == byClient || at.by == byBearer
	case FaultTokenExpired, FaultTokenUnverified, FaultValidation:
		return at.by == byBearer
	case FaultNotAZip, FaultZipCut, FaultZipBadChecksum, FaultZipBomb:
		return at.zip
	case FaultZipEmpty:
		return at.zip && at.batch
	case FaultZipHostileNames, FaultFilePoisoned:
		return at.batch
	case FaultFileEmpty, FaultNoToken:
		return at.batch || at.links
	case FaultInvalidToken:
		return at.token
	case FaultPageEmptyWithNext:
		return at.page || at.links
	case FaultPageTokenStale:
		return at.pageToken
	case FaultLinkTwice:
		return at.links
	case FaultLinkExpired, FaultLinkGone, FaultContentEncoding, FaultGzipMembers,
		FaultNoLastNewline, FaultBlankLine, FaultLongLine, FaultLineBroken:
		return at.by == byLink
	case FaultBadUTF8:
		return at.by == byLink && at.lasting
	}
	return true
}

// addsFile reports whether the fault is a file too many.
func (f Fault) addsFile() bool { return f == FaultFileEmpty || f == FaultFilePoisoned }

// sparesLines reports whether the records of a file that has the fault for good
// reach the client.
func (f Fault) sparesLines() bool {
	switch f {
	case "", FaultFileEmpty, FaultLinkTwice, FaultContentEncoding, FaultGzipMembers,
		FaultNoLastNewline, FaultBlankLine, FaultLongLine, FaultLineBroken, FaultBadUTF8:
		return true
	}
	return false
}

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
