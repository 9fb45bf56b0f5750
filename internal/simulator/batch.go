package simulator

import (
	"errors"
	"fmt"
	"slices"
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

// AddBatch adds a batch of n synthetic records, dealt in turn to the log types of
// [Config.Types], and returns its number, from 0. The records date from the half
// hour before.
func (s *Server) AddBatch(n int) int {
	return s.batches.add(batch{records: max(0, n)}, s.clock())
}

// AddFaultyBatch adds a batch of n synthetic records that is served with fault
// every time it is asked for, and returns its number. The faults in files and
// archives leave a token to go on with; the others hold a client up for as long
// as the batch is kept. It returns an error for a fault of pages.
//
// Records that a client must still deliver are in [Server.Expected]: all of them
// for [FaultFileEmpty], [FaultFilePoisoned], [FaultZipBomb] and
// [FaultZipHostileNames], all but the first file's for [FaultZipBadChecksum],
// none otherwise. The rest are in [Server.Salvageable].
func (s *Server) AddFaultyBatch(fault Fault, n int) (int, error) {
	if !fault.fits(scene{path: PathSIEM, batch: true, zip: true, token: true}) {
		return 0, fmt.Errorf("simulator: a batch cannot have the fault %q", fault)
	}
	return s.batches.add(batch{records: max(0, n), fault: fault}, s.clock()), nil
}

// AddBatchFiles adds a batch of exactly these files, and returns its number. The
// files' bytes must not change afterwards. It returns an error when a name is
// empty or a record in File.Records is no JSON object.
func (s *Server) AddBatchFiles(files []File) (int, error) {
	var wanted []string
	for _, f := range files {
		if f.Name == "" {
			return 0, errors.New("simulator: a file has no name")
		}
		for _, record := range f.Records {
			v, err := parseObject([]byte(record))
			if err != nil {
				return 0, fmt.Errorf("simulator: record of file %s: %w", f.Name, err)
			}
			wanted = append(wanted, string(appendLabelled(nil, v, sourceSIEM, logTypeOf(f.Name))))
		}
	}
	return s.batches.add(batch{given: slices.Clone(files), wanted: wanted}, s.clock()), nil
}

// Expire forgets the first k batches still kept, as the service does after seven
// days: their tokens are refused, and a call without token starts behind them.
// What [Server.Expected] tells does not change.
func (s *Server) Expire(k int) { s.batches.expire(k) }

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
