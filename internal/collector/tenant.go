package collector

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"fluent-bit-mimecast/internal/checkpoint"
)

const (
	// maxCodes bounds the account codes that are kept of a log.
	maxCodes = 256
	// maxNamed bounds the names that a line of the log lists.
	maxNamed = 3
)

// codes is a set of the codes of Mimecast accounts, as records carry them. One
// customer may have several.
type codes map[string]struct{}

func codesOf(list []string) codes {
	set := codes{}
	for _, code := range list {
		set.add(code)
	}
	return set
}

// add reports whether a code is new to the set and has room in it.
func (c codes) add(code string) bool {
	if _, have := c[code]; have || len(c) >= maxCodes {
		return false
	}
	c[code] = struct{}{}
	return true
}

func (c codes) sorted() []string { return slices.Sorted(maps.Keys(c)) }

// isCode reports whether a record's value can be kept as a code: it goes into
// logs, and into JSON and back.
func isCode(value []byte) bool {
	for _, c := range value {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// verdict is what the codes of records say of a position that was reached with
// another host or application id.
type verdict int

const (
	undecided   verdict = iota
	sameTenant          // it is of the same customer's logs
	otherTenant         // it is of another's
)

// compare holds the codes that are known of a position to those that records
// carry now. Where none is known there is nothing to compare, and the position
// is taken for what it is meant to be.
func compare(known, now codes) verdict {
	switch {
	case len(known) == 0:
		return sameTenant
	case len(now) == 0:
		return undecided
	}
	for code := range now {
		if _, have := known[code]; have {
			return sameTenant
		}
	}
	return otherTenant
}

// tenant is what the streams of a collector know together of the customer whose
// logs they collect: some logs have no codes in their records. It is safe for
// concurrent use.
type tenant struct {
	host, appID string        // as read at the start
	application func() string // of the latest request; files may have another by now
	log         *slog.Logger

	mu    sync.Mutex
	codes codes           // that records carried under this host and application id
	list  []string        // the same; replaced and never changed
	said  map[string]bool // what positions were reached with, where that was said
}

func newTenant(host, appID string, application func() string, log *slog.Logger) *tenant {
	return &tenant{host: host, appID: appID, application: application, log: log, codes: codes{}, said: map[string]bool{}}
}

func (t *tenant) add(list ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	grown := false
	for _, code := range list {
		grown = t.codes.add(code) || grown
	}
	if grown {
		t.list = t.codes.sorted()
	}
}

// all returns the codes, not to be changed.
func (t *tenant) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list
}

// sayChanged says, once for all logs, that a position was reached with another
// host or application id.
func (t *tenant) sayChanged(o *checkpoint.Origin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	args := []any{"was", o.AppID, "now", t.appID}
	text := "the position was reached with another application id"
	switch {
	case o.AppID == t.appID:
		text, args = "the position was reached at another host", []any{"was", o.Host, "now", t.host}
	case o.Host != t.host:
		text = "position reached with another host and application id"
		args = []any{"was", o.Host + " " + o.AppID, "now", t.host + " " + t.appID}
	}
	if id := o.Host + "|" + o.AppID; !t.said[id] {
		t.said[id] = true
		t.log.Info(text, args...)
	}
}

// provenance is where a log's position comes from. It goes into the checkpoint
// file with each of the position's changes.
//
// A position that was reached with another host or application id is of the same
// customer, whose application id is a new one, or of another, whose block was
// copied. While that is open, what is written is the origin as it was, with the
// position as it was: a restart has to ask the same question, and one with the
// host and application id of before, or with others still, goes on from there.
type provenance struct {
	tenant *tenant
	origin *checkpoint.Origin // replaced and never changed
	known  codes              // those of origin
	open   bool
	back   bool // the position is that of before, and not yet in the file
	merged int  // how many codes of the tenant are among known
}

// load takes up the origin of a position in the checkpoint file. It returns the
// position to use, which may be that of before.
func (p *provenance) load(s *checkpoint.Store, k checkpoint.Key, pos json.RawMessage) (json.RawMessage, error) {
	o, err := s.Origin(k)
	if err != nil {
		return nil, err
	}
	if o == nil {
		p.adopt(nil)
		return pos, nil
	}
	t, trial := p.tenant, o.Trial
	if trial != nil && (trial.Host != t.host || trial.AppID != t.appID) {
		t.log.Info("going back to the position before an application id's", "logs", k.Log, "app_id", trial.AppID, "host", trial.Host)
		pos, trial, p.back = trial.Position, nil, true
	}
	if o.Host == t.host && o.AppID == t.appID {
		p.adopt(codesOf(o.Accounts))
		return pos, nil
	}
	t.sayChanged(o)
	known, err := knownBy(s, k, o)
	switch {
	case err != nil:
		return nil, err
	case len(known) == 0:
		p.adopt(nil)
		return pos, nil
	case trial == nil:
		trial = &checkpoint.Trial{Host: t.host, AppID: t.appID, Position: pos}
	}
	p.known, p.open = known, true
	p.origin = &checkpoint.Origin{Host: o.Host, AppID: o.AppID, Accounts: known.sorted(), Trial: trial}
	return pos, nil
}

// knownBy returns the codes of an origin. If it has none, they are those of the
// account's other logs with the same one.
func knownBy(s *checkpoint.Store, k checkpoint.Key, o *checkpoint.Origin) (codes, error) {
	known := codesOf(o.Accounts)
	if len(known) > 0 {
		return known, nil
	}
	streams, err := s.Streams()
	for _, other := range streams {
		if other.Key.Account == k.Account && other.Origin.Host == o.Host && other.Origin.AppID == o.AppID {
			for _, code := range other.Origin.Accounts {
				known.add(code)
			}
		}
	}
	return known, err
}

// adopt makes the position one of this host and application id, and of records
// with some codes.
func (p *provenance) adopt(known codes) {
	if known == nil {
		known = codes{}
	}
	p.known, p.open, p.merged = known, false, 0
	p.record()
	p.tenant.add(p.origin.Accounts...)
}

func (p *provenance) record() {
	p.origin = &checkpoint.Origin{Host: p.tenant.host, AppID: p.tenant.appID, Accounts: p.known.sorted()}
}

// note adds the code of a record. Those of another application id are not the
// origin's: the next start asks about it.
func (p *provenance) note(code string) {
	if p.tenant.application() == p.tenant.appID && p.known.add(code) {
		p.record()
		p.tenant.add(code)
	}
}

// saw notes the code of a record, among those seen of its batch as long as it is
// open whose the position is.
func (p *provenance) saw(seen codes, code []byte) {
	_, known := p.known[string(code)]
	switch {
	case !p.open && (known || len(p.known) >= maxCodes):
	case !isCode(code):
	case !p.open:
		p.note(string(code))
	case known || len(seen) < maxCodes-1:
		seen.add(string(code)) // there is room for one that is known: it decides
	}
}

// settle returns the provenance after records with some codes, and what these say
// if it is open. It is the caller's to say so.
func (p provenance) settle(seen codes) (provenance, verdict) {
	if !p.open {
		return p, sameTenant
	}
	v := compare(p.known, seen)
	switch v {
	case sameTenant:
		for code := range p.known {
			seen.add(code)
		}
		p.adopt(seen)
	case otherTenant:
		p.adopt(seen)
	}
	return p, v
}

// merge adds the codes of the tenant, for a log whose records have none.
func (p *provenance) merge() {
	list := p.tenant.all()
	if len(list) == p.merged {
		return // it only grows
	}
	p.merged = len(list)
	for _, code := range list {
		p.known.add(code)
	}
	p.record()
}

// sayOther says that the records are another customer's than the position.
func (p *provenance) sayOther(log *slog.Logger, now codes, means string, args ...any) {
	log.Error("the records are another Mimecast customer's", append([]any{
		"accounts_were", some(p.known.sorted()), "accounts_are", some(now.sorted()), "means", means,
		"what_to_do", "if this block was copied, give it an account of its own; nothing if its customer was to change",
	}, args...)...)
}

// some lists a few names, and says how many there are more.
func some(names []string) string {
	more := ""
	if n := len(names) - maxNamed; n > 0 {
		names, more = names[:maxNamed], fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, ", ") + more
}
