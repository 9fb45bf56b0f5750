package simulator

import (
	"errors"
	"fmt"
	"slices"
)

// AddFiles adds so many files of events of a type, each of so many synthetic
// records from the quarter of an hour before; without records they are empty. It
// returns an error for a type there is not.
func (s *Server) AddFiles(kind string, files, recordsEach int) error {
	return s.addFiles(kind, "", files, recordsEach)
}

// AddFaultyFiles is [Server.AddFiles] with files that have the fault for good. A
// fault of a page is in every page with one of them, and in one page only once. It
// returns an error for a fault that neither files nor pages of links have.
//
// Records that a client must still deliver are in [Server.Expected]: all of them
// for the faults of links and lines that lose none. The rest are in
// [Server.Salvageable].
func (s *Server) AddFaultyFiles(kind string, fault Fault, files, recordsEach int) error {
	ofPage := scene{path: PathEvents, by: byBearer, token: true, links: true, lasting: true}
	if !fault.fits(behindLink) && !fault.fits(ofPage) {
		return fmt.Errorf("simulator: a file of events cannot have the fault %q", fault)
	}
	return s.addFiles(kind, fault, files, recordsEach)
}

func (s *Server) addFiles(kind string, fault Fault, files, recordsEach int) error {
	t := eventTypeByName(kind)
	if t == nil {
		return fmt.Errorf("simulator: unknown type of events %q", kind)
	}
	s.files.add(files, eventFile{at: s.clock(), path: endpointOf(kind), kind: kind, write: t.write, records: max(0, recordsEach), fault: fault})
	return nil
}

// AddEventFile adds exactly this file. Its bytes must not change afterwards. It
// returns an error when the type is empty or a record in
// EventFile.Records is no JSON object.
func (s *Server) AddEventFile(f EventFile) error {
	if f.Type == "" {
		return fmt.Errorf("simulator: an event file has no type")
	}
	given := eventFile{at: s.clock(), path: endpointOf(f.Type), kind: f.Type, given: f.Lines}
	for _, record := range f.Records {
		v, err := parseObject([]byte(record))
		if err != nil {
			return fmt.Errorf("simulator: record of an event file: %w", err)
		}
		given.wanted = append(given.wanted, string(appendLabelled(nil, v, given.source(), logTypeOfEvent(kindOf(v, f.Type)))))
	}
	s.files.add(1, given)
	return nil
}

// kindOf returns the type that a record tells, or fallback.
func kindOf(record value, fallback string) string {
	for _, key := range []string{"type", "eventType"} {
		for _, m := range record.members {
			if m.key == key && m.value.kind == kindText {
				return m.value.text
			}
		}
	}
	return fallback
}

// ExpireFiles forgets the first k files of events still kept, as the service does
// after seven days: the store has them no more. Config.OldCursorStatus says what
// becomes of cursors before them. What [Server.Expected] tells does not change.
func (s *Server) ExpireFiles(k int) { s.files.expire(k) }

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
