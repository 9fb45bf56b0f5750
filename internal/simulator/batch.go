package simulator

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// batchSpan is the time the records of one batch come from: the service makes a
// batch about every half hour.
const batchSpan = 30 * time.Minute

// File is a log file given by the caller, served as it is.
type File struct {
	Name     string // such as receipt_20211018093511655.log
	JSON     []byte // what a request for json gets
	KeyValue []byte // what a request for key_value gets

	// Records are the JSON objects a collector has to make of the file, without
	// log_source and log_type; [Server.Expected] tells them with both.
	Records []string
}

// batch is what is kept of a batch. Immutable once added.
type batch struct {
	number  int
	at      time.Time
	records int
	fault   Fault    // served like that, always
	given   []File   // instead of synthetic records
	wanted  []string // canonical records of the given files
}

// archive is a view of all batches at one moment: those from first on are kept.
type archive struct {
	all   []*batch
	first int
}

// shelf holds the batches. Safe for concurrent use.
type shelf struct {
	mu   sync.Mutex
	view archive
}

func (s *shelf) snapshot() archive {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.view
}

// add numbers b, gives it a time of its own not before now, and keeps it.
func (s *shelf) add(b batch, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.number, b.at = len(s.view.all), now.Truncate(time.Millisecond)
	if b.number > 0 {
		if earliest := s.view.all[b.number-1].at.Add(time.Millisecond); b.at.Before(earliest) {
			b.at = earliest
		}
	}
	s.view.all = append(s.view.all, &b)
	return b.number
}

func (s *shelf) expire(k int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.first = min(s.view.first+max(0, k), len(s.view.all))
}

// stamp returns the batch's time as file names give it.
func (b *batch) stamp() string {
	return strings.Replace(b.at.UTC().Format("20060102150405.000"), ".", "", 1)
}

// logFile is a log file that is rendered when asked for.
type logFile struct {
	name string
	raw  *File // served as it is, or
	of   int   // the index of its log type
}

// files returns the batch's log files in the order they are served.
func (b *batch) files(types []string) []logFile {
	var files []logFile
	if extra, ok := extraFile(b.fault, b, 0); ok {
		files = append(files, extra)
	}
	for i := range b.given {
		files = append(files, logFile{name: b.given[i].Name, raw: &b.given[i]})
	}
	for i, name := range types[:min(len(types), b.records)] {
		files = append(files, logFile{name: name + "_" + b.stamp() + ".log", of: i})
	}
	return files
}

// extraFile returns the file too many that the fault puts in front of the others
// of b; ok is false when the fault puts none.
func extraFile(f Fault, b *batch, salt uint32) (extra logFile, ok bool) {
	if !f.addsFile() {
		return logFile{}, false
	}
	raw := &File{Name: fmt.Sprintf("receipt_%s%d.log", b.stamp(), salt)}
	if f == FaultFilePoisoned {
		cut := []byte(`{ "type" : "MTA", "data" : `)
		raw.JSON, raw.KeyValue = cut, cut
	}
	return logFile{name: raw.Name, raw: raw}, true
}
