package simulator

import "iter"

// Values of log_source.
const (
	sourceSIEM   = "siem"
	sourceSIEMCI = "siem_ci"
	sourceTTP    = "ttp"
)

// Expected yields every record a client has to deliver: those of all batches, files
// of events and events of logs ever added, expired ones too, in the order of adding,
// batches before files before events. Only equal events of one log are equal records:
// they are as many. A record is [Canonical] and is what the collector puts out: the
// service's fields plus log_source ("siem", "siem_ci", "ttp" for what targeted threat
// protection logs, or the log) and log_type (the prefix of the file's name, the word of
// API 1.0 for the type of events or the type itself, the log, or the threat feed).
//
// For key_value compare [CanonicalText] of both sides.
func (s *Server) Expected() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, b := range s.batches.snapshot().all {
			if !s.records(b, true, yield) {
				return
			}
		}
		if s.eventRecords(true, yield) {
			s.ExpectedEvents()(yield)
		}
	}
}

// ExpectedBatch yields the part of [Server.Expected] one batch has; nothing for
// a number no batch has.
func (s *Server) ExpectedBatch(number int) iter.Seq[string] {
	return func(yield func(string) bool) {
		if all := s.batches.snapshot().all; number >= 0 && number < len(all) {
			s.records(all[number], true, yield)
		}
	}
}

// ExpectedEvents yields the part of [Server.Expected] that are events of logs, log
// by log and oldest first, those not visible yet among them.
func (s *Server) ExpectedEvents() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range Logs() {
			for record := range s.ExpectedLog(name) {
				if !yield(record) {
					return
				}
			}
		}
	}
}

// ExpectedLog yields the part of [Server.ExpectedEvents] one log has; nothing for a
// name no log has.
func (s *Server) ExpectedLog(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		l := logByName(name)
		if l == nil {
			return
		}
		var buf []byte
		for _, e := range s.events[name].snapshot() {
			fields, _ := l.contents(s.config.Seed, e)
			buf = appendLabelled(buf[:0], objectOf(fields...), l.source, l.logType(e))
			if !yield(string(buf)) {
				return
			}
		}
	}
}

// Salvageable yields the records of faulty batches that a client may deliver but
// need not, because their bytes are only to be had by guessing, or in a mode the
// fault does not touch. What a client delivers lies between Expected and
// Expected plus Salvageable.
func (s *Server) Salvageable() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, b := range s.batches.snapshot().all {
			if !s.records(b, false, yield) {
				return
			}
		}
		s.eventRecords(false, yield)
	}
}

// eventRecords is records for all files of events.
func (s *Server) eventRecords(survivors bool, yield func(string) bool) bool {
	var fields []member
	var buf []byte
	for _, f := range s.files.snapshot().all {
		if f.fault.sparesLines() != survivors {
			continue
		}
		for _, record := range f.wanted {
			if !yield(record) {
				return false
			}
		}
		logType := logTypeOfEvent(f.kind)
		for i := range f.records {
			fields, _, _ = f.record(s.config.Seed, fields, i)
			buf = appendLabelled(buf[:0], objectOf(fields...), f.source(), logType)
			if !yield(string(buf)) {
				return false
			}
		}
	}
	return true
}

// records yields the batch's records that must survive its fault, or those that
// need not, and reports whether yield wants more.
func (s *Server) records(b *batch, survivors bool, yield func(string) bool) bool {
	if survivors {
		for _, record := range b.wanted {
			if !yield(record) {
				return false
			}
		}
	}
	var fields []member
	var buf []byte
	for i := range b.records {
		of := i % len(s.generator.types)
		if b.fault.spares(of) != survivors {
			continue
		}
		fields, _ = s.generator.record(fields, b, i)
		buf = appendLabelled(buf[:0], objectOf(fields...), sourceSIEM, s.generator.types[of].name)
		if !yield(string(buf)) {
			return false
		}
	}
	return true
}

// appendLabelled appends the canonical form of a record with its two labels.
func appendLabelled(dst []byte, record value, source, logType string) []byte {
	record.members = append(record.members,
		member{"log_source", textValue(source)},
		member{"log_type", textValue(logType)})
	return appendCanonical(dst, record)
}
