package collector

import (
	"context"
	"fmt"
	"time"

	"fluent-bit-mimecast/internal/sleep"
	"fluent-bit-mimecast/mimecast"
)

const (
	// tokenRetry is how long to wait before a refused token is tried once more.
	tokenRetry = 2 * time.Second
	// maxSteps is how many answers without records, in a row, may lead on at once.
	maxSteps = 10
)

// fetched is an answer to a request: a batch, a step to another token, or nothing
// new. Close it.
type fetched struct {
	request mimecast.SIEMRequest
	name    string
	next    string   // the token to go on at, which may be the request's own
	noNext  bool     // there is more by the answer's word, without a token for it
	body    *spooled // nil: no batch
	refused bool     // no answer, because the service no longer knows the token

	// then is the request that is made ahead next. The poll ends if the position
	// leads to another one.
	then mimecast.SIEMRequest
}

// own reports whether the answer leads to no other token than the request's.
func (f *fetched) own() bool { return f.next == f.request.Token }

// Close gives up the batch. It may be called again.
func (f *fetched) Close() {
	if f.body != nil {
		f.body.Close()
	}
}

// fetcher asks for the batches of the SIEM logs.
type fetcher struct {
	s        *stream
	format   mimecast.Format
	compress bool
	interval time.Duration // between requests that bring nothing new
	scratch  func() (scratch, error)
}

// request returns the one for a token.
func (p *fetcher) request(token string) mimecast.SIEMRequest {
	return mimecast.SIEMRequest{Token: token, Format: p.format, Compress: p.compress}
}

// ahead follows the tokens and sends what it gets, until ctx ends or a token
// is refused: where to go on then is the receiver's to decide. What was sent is
// the receiver's.
func (p *fetcher) ahead(ctx context.Context, r mimecast.SIEMRequest, out chan<- *fetched) {
	steps := 0 // in a row
	for {
		f, err := p.fetch(ctx, r)
		if err != nil {
			return
		}
		then := r
		switch {
		case f.refused:
			then = mimecast.SIEMRequest{}
		case f.own():
			steps = 0
		case f.body == nil:
			then.Token = f.next
			steps++
		default:
			then = p.request(f.next)
			steps = 0
		}
		refused := f.refused
		f.then = then
		select {
		case out <- f:
		case <-ctx.Done():
			f.Close()
			return
		}
		if refused {
			return
		}
		if then == r || steps == maxSteps {
			_ = sleep.For(ctx, p.interval)
			steps = 0
		}
		r = then
	}
}

// fetch makes a request until it is answered, or ctx ends.
func (p *fetcher) fetch(ctx context.Context, r mimecast.SIEMRequest) (*fetched, error) {
	var backoff mimecast.Backoff
	refused := false
	for {
		f, err := p.try(ctx, r)
		switch {
		case err == nil:
			p.s.worked(&backoff)
			return f, nil
		case mimecast.IsInvalidToken(err) && r.Token != "" && ctx.Err() == nil:
			if refused {
				return &fetched{request: r, refused: true}, nil
			}
			// Once more: a token is too dear to believe it at the first word.
			refused = true
			p.s.report.fails(err, tokenRetry)
			err = sleep.For(ctx, tokenRetry)
		default:
			refused = false
			err = p.s.failed(ctx, &backoff, err)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *fetcher) try(ctx context.Context, r mimecast.SIEMRequest) (*fetched, error) {
	batch, err := p.s.client.SIEMLogs(ctx, r)
	if err != nil {
		return nil, err
	}
	if batch == nil {
		return &fetched{request: r, next: r.Token}, nil
	}
	if batch.Body == nil {
		return &fetched{request: r, next: batch.NextToken, noNext: batch.NoNext}, nil
	}
	defer batch.Body.Close()
	share := p.s.memory
	body, err := spool(batch.Body, share.Bound(minSpoolMemory, spoolMemory), share, p.scratch)
	if err != nil {
		return nil, fmt.Errorf("fetching a batch: %w", err)
	}
	return &fetched{request: r, name: batch.FileName, next: batch.NextToken, noNext: batch.NoNext, body: body}, nil
}
