package collector

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/internal/sleep"
	"fluent-bit-mimecast/mimecast"
)

const (
	// firstLook is after a start, so that one that fails again and again spends no
	// calls on it.
	firstLook    = time.Hour
	lookInterval = 24 * time.Hour
	lookBytes    = 256 << 10 // of each file, unpacked
	maxTypesSaid = 16
)

// typeLook looks once a day for types of [config.SIEM] that nobody collects: what is
// new at Mimecast's must not be missed in silence. It asks for a page of all types, and
// looks at how its files begin.
type typeLook struct {
	client *mimecast.Client
	spend  func(ctx context.Context, urgent bool) error
	log    *slog.Logger
	known  map[string]bool // log types, and those that were said
}

func newTypeLook(client *mimecast.Client, shared *linksShared) *typeLook {
	l := &typeLook{client: client, spend: shared.spend, log: shared.log, known: map[string]bool{}}
	for _, name := range shared.source.types {
		l.known[mimecast.SIEMLogType(name)] = true
	}
	for _, t := range mimecast.SIEMTypes() {
		l.known[t.LogType] = true
	}
	return l
}

func (l *typeLook) run(ctx context.Context) {
	for wait := firstLook; sleep.For(ctx, wait) == nil; wait = lookInterval {
		if err := l.look(ctx); err != nil && ctx.Err() == nil {
			l.log.Info("can't look for types that are not collected", "err", err, "next_look_in", lookInterval.String())
		}
	}
}

func (l *typeLook) look(ctx context.Context) error {
	page, err := l.client.SIEMPage(ctx, mimecast.SIEMPageRequest{
		From: l.client.Now().Add(-lookInterval), PageSize: linksPerPage,
		Before: func(ctx context.Context) error { return l.spend(ctx, false) },
	})
	if err != nil {
		return err
	}
	for _, link := range page.Links {
		in, openErr := l.client.OpenLink(ctx, link)
		if openErr != nil {
			err = openErr // others may tell more
			continue
		}
		l.types(in)
		in.Close()
	}
	return err
}

// types warns of the types of a file's first records that are not known.
func (l *typeLook) types(in io.Reader) {
	packed := bufio.NewReader(in)
	file := io.Reader(packed)
	if head, _ := packed.Peek(2); string(head) == "\x1f\x8b" {
		z, err := gzip.NewReader(packed)
		if err != nil {
			return
		}
		file = z
	}
	lines := json.NewDecoder(io.LimitReader(file, lookBytes))
	for {
		var r struct{ Type, EventType string }
		if lines.Decode(&r) != nil {
			return // what can't be read is another matter
		}
		name := r.Type
		if name == "" {
			name = r.EventType
		}
		if kind := mimecast.SIEMLogType(name); name != "" && !l.known[kind] && len(l.known) < maxTypesSaid+len(mimecast.SIEMTypes()) {
			l.known[kind] = true
			l.log.Warn("a type of SIEM logs is not collected", "type", record.CleanName(name),
				"what_to_do", "add it to siem_types, beside all others that you want: "+strings.Join(names(mimecast.SIEMTypes()), ","))
		}
	}
}

func names(types []mimecast.SIEMType) []string {
	var list []string
	for _, t := range types {
		list = append(list, strings.ReplaceAll(t.Name, " ", "_"))
	}
	return list
}
