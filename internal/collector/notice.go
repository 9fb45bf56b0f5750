package collector

import (
	"context"
	"fmt"
	"time"

	"fluent-bit-mimecast/internal/delivery"
	"fluent-bit-mimecast/internal/record"
)

// notice is a record of the plugin's own: it says where a log is not whole, or has
// records that come again.
type notice struct {
	severity string // error or warning
	message  string
	from, to time.Time // of the records that it is about; zero: not known
}

// tell puts a notice into the queue, before what is put there later.
func (s *stream) tell(ctx context.Context, n notice) error {
	if !s.notices {
		return nil
	}
	now := s.client.Now()
	spell := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	o := s.origin(record.NoticeSource, record.NoticeType, now)
	rec := record.AppendNotice(nil, o, "severity", n.severity, "log", s.key.Log, "message", n.message, "from", spell(n.from), "to", spell(n.to))
	id := s.extras.hashed([]byte(record.NoticeType), []byte(s.key.Log), []byte(n.message), []byte(spell(n.from)), []byte(spell(n.to)))
	tag := ""
	if s.out.ByType {
		tag = record.NoticeSource + "." + record.NoticeType
	}
	return delivery.Note(ctx, s.queue, s.key, &s.report.stats, tag, s.extras.add(rec, 0, nil, id))
}

// tellDue puts the notices into the queue that the report has made since the last
// call.
func (s *stream) tellDue(ctx context.Context) error {
	for _, n := range s.report.dueNotices() {
		if err := s.tell(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// comesAgain is the notice of a log that starts from the earliest logs again.
func comesAgain(reason string, upTo time.Time) notice {
	n := notice{severity: "warning", message: "records may come again: the log starts anew: " + reason, to: upTo}
	if !upTo.IsZero() {
		n.from = upTo.Add(-retention)
	}
	return n
}

// changed is the notice of a file, or a batch, that came with other content after
// some of its records had been delivered.
func changed(name string, records int) notice {
	return notice{severity: "warning", message: fmt.Sprintf("records may come again: %d records were delivered of a file that has changed: %s", records, name)}
}
