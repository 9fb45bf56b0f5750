// Package position has what stands in the checkpoint file for each kind of log,
// and says it in words.
package position

import (
	"fmt"
	"time"

	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/mimecast"
)

// Batch is how much of the batch at a token has been delivered.
type Batch struct {
	Token string `json:"token"` // empty: the earliest batch that the service has

	// Of the batch, if some of it has been delivered:
	Format   mimecast.Format `json:"format,omitempty"` // as it was asked for
	Compress bool            `json:"compress,omitempty"`
	File     string          `json:"file,omitempty"` // that the last record came from
	Records  int             `json:"records,omitempty"`
	Digest   uint64          `json:"digest,string,omitempty"` // of what was delivered
}

// BatchAt returns the position at a place in the batch that a request brings.
func BatchAt(r mimecast.SIEMRequest, at delivery.Place) Batch {
	return Batch{
		Token: r.Token, Format: r.Format, Compress: r.Compress,
		File: at.File, Records: at.Records, Digest: at.Digest,
	}
}

// Place returns the place in the batch.
func (b Batch) Place() delivery.Place {
	return delivery.Place{File: b.File, Records: b.Records, Digest: b.Digest}
}

// SIEM is where the SIEM logs of API 1.0 are: so many records into the batch at a
// token.
type SIEM struct {
	Batch // the current one

	// Previous is the last batch before the current one; nil when it is not known.
	Previous *Batch `json:"previous,omitempty"`
	// Refused is what was delivered at the token after the current batch, when the
	// service has refused that token and the log has gone back to this batch.
	Refused *Batch `json:"refused,omitempty"`

	// At is the time up to which logs were delivered, by the service's clock.
	At time.Time `json:"at"`
	// Last is that of the newest record of the last batch with any; zero when it is not
	// known. API 2.0 goes on from there.
	Last time.Time `json:"last,omitzero"`
}

// Follow returns the position at the token that the current batch leads to.
func (s SIEM) Follow(token string) SIEM {
	previous := s.Batch
	next := SIEM{Previous: &previous, At: s.At, Last: s.Last}
	if s.Refused != nil {
		// It is expected here, and skipped if the batch begins with it.
		next.Batch = *s.Refused
	}
	next.Token = token
	return next
}

func (pos SIEM) words() []string {
	var lines []string
	switch {
	case pos.Token == "" && pos.Records == 0:
		lines = append(lines, "it starts from the earliest logs that the service has")
	case pos.At.IsZero():
		lines = append(lines, "it has a token, with no time known yet")
	default:
		lines = append(lines, "logs up to "+moment(pos.At)+" are delivered")
	}
	if pos.Records > 0 {
		kind := "a plain file"
		if pos.Compress {
			kind = "a zip"
		}
		lines = append(lines, fmt.Sprintf("then %d records of a batch (%s, %s), the last from %s", pos.Records, pos.Format, kind, pos.File))
	}
	if pos.Refused != nil {
		lines = append(lines, "the service has refused the token that followed this batch")
	}
	return lines
}
