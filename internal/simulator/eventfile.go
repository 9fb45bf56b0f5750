package simulator

import (
	"strconv"
	"sync"
	"time"
)

// fileSpan is the time the records of one event file come from: the service makes
// files about every quarter of an hour.
const fileSpan = 15 * time.Minute

// EventFile is a file of events given by the caller.
type EventFile struct {
	Type  string // the service's word, which may be an unknown one
	Lines []byte // the file before gzip

	// Records are the JSON objects a collector has to make of the lines, without
	// log_source and log_type; [Server.Expected] tells them with both.
	Records []string
}

// eventFile is what is kept of a file of events of one type. Immutable once added.
type eventFile struct {
	number  int
	at      time.Time
	path    string // of the endpoint that has it
	kind    string
	write   func(*line, mail) string
	records int
	fault   Fault    // served like that, always
	given   []byte   // instead of synthetic records
	wanted  []string // canonical records of the given lines
}

// fileView is a view of all files at one moment: those from first on are kept.
type fileView struct {
	all   []*eventFile
	first int
}

// fileShelf holds the files of events. Safe for concurrent use.
type fileShelf struct {
	mu   sync.Mutex
	view fileView
}

func (s *fileShelf) snapshot() fileView {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view
}

// add keeps n files like f, and numbers them.
func (s *fileShelf) add(n int, f eventFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		f.number = len(s.view.all)
		s.view.all = append(s.view.all, new(f))
	}
}

func (s *fileShelf) expire(k int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.first = min(s.view.first+max(0, k), len(s.view.all))
}

// mailsShared is how many records of delivery share a mail, and with it both ids.
const mailsShared = 2

// record returns record i of the file, with its fields in dst's memory, how JSON
// spells it, and its subtype.
func (f *eventFile) record(seed uint64, dst []member, i int) ([]member, spelling, string) {
	number := i
	if f.kind == "delivery" {
		number /= mailsShared
	}
	m := newMail(seed, uint64(f.number), uint64(number))
	ids := newDice(seed, streamEventMail, uint64(f.number), uint64(number))
	l := line{dice: newDice(seed, streamEventRecord, uint64(f.number), uint64(i)), fields: dst[:0]}
	how := spelling{ascii: l.oneIn(4), slash: l.oneIn(4)}
	at := f.at.Add(fileSpan/time.Duration(f.records)*time.Duration(i) - fileSpan)
	suffix := ""
	if m.direction != "Internal" {
		suffix = "_" + strconv.FormatInt(f.at.Unix(), 10)
	}
	l.text("aggregateId", m.aCode+suffix)
	l.text("processingId", either(f.kind == "url protect", "req-", "")+ids.base64(32)+suffix)
	if f.kind != "urlclick" { // whether it has one is not known
		l.text("accountId", account)
	}
	l.number("timestamp", int(at.UnixMilli()))
	subtype := f.write(&l, m)
	l.text("type", f.kind)
	l.maybe("subtype", subtype)
	if l.oneIn(4) { // as until 2025
		l.number("_offset", l.below(2_000_000))
		l.number("_partition", l.below(200))
	}
	if f.fault == FaultBadUTF8 && i == f.middle() {
		l.text("senderName", "Ren\ufffd")
	}
	return l.fields, how, subtype
}

// source returns the log_source of the file's records.
func (f *eventFile) source() string {
	if f.path == PathEventsCI {
		return sourceSIEMCI
	}
	return sourceSIEM
}

// middle is the record that faults in lines are at.
func (f *eventFile) middle() int { return f.records / 2 }
