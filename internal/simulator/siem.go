package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// PathSIEM is the endpoint of SIEM log files.
const PathSIEM = "/api/audit/get-siem-logs"

// siemAsk is a request for log files.
type siemAsk struct {
	Type       *string `json:"type"`
	Token      *string `json:"token"`
	FileFormat *string `json:"fileFormat"`
	Compress   bool    `json:"compress"`

	format string
}

// parseSIEM reads the body of a request. Without fileFormat it means key_value,
// without compress false.
func (s *Server) parseSIEM(body []byte) (ask siemAsk, refusal answer, ok bool) {
	var request struct {
		Meta struct {
			AccountCode *string `json:"accountCode"`
		} `json:"meta"`
		Data []siemAsk `json:"data"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return ask, s.refuse(http.StatusBadRequest, failure{Code: codeJSON, Message: "The body is not the JSON expected"}), false
	}
	if request.Meta.AccountCode != nil {
		return ask, s.refuseField(codeValue, "accountCode"), false
	}
	if len(request.Data) != 1 {
		return ask, s.refuseField(codeNull, "data"), false
	}
	ask = request.Data[0]
	ask.format = formatKeyValue
	if ask.FileFormat != nil {
		ask.format = *ask.FileFormat
	}
	switch {
	case ask.Type == nil:
		return ask, s.refuseField(codeNull, "type"), false
	case *ask.Type != "MTA":
		return ask, s.refuseField(codeValue, "type"), false
	case !slices.Contains([]string{formatJSON, formatKeyValue}, ask.format):
		return ask, s.refuseField(codeValue, "fileFormat"), false
	case ask.Token != nil && *ask.Token == "":
		return ask, s.refuseField(codeBlank, "token"), false
	}
	return ask, answer{}, true
}

// serveSIEM answers a request for log files.
func (s *Server) serveSIEM(body []byte, by caller) answer {
	ask, refusal, ok := s.parseSIEM(body)
	if !ok {
		return refusal
	}
	kept := s.batches.snapshot()
	at, ok := s.locate(kept, ask)
	if !ok {
		return s.refuseToken()
	}
	if at.batch == len(kept.all) {
		fault, n := s.faults.draw(scene{path: PathSIEM, token: ask.Token != nil})
		return s.spoil(s.idle(at), fault, n)
	}
	t := turn{ask: ask, id: by.id, batch: kept.all[at.batch], at: at}
	here := scene{path: PathSIEM, batch: true, zip: ask.Compress, token: ask.Token != nil}
	t.passing, t.salt = s.faults.draw(here)
	if t.batch.fault.fits(here) {
		t.lasting = t.batch.fault
	}
	a, err := s.logFiles(t)
	if err != nil {
		return s.refuse(http.StatusInternalServerError, failure{Code: codeServer, Message: err.Error()})
	}
	return s.spoil(a, orDefault(t.passing, t.lasting), t.salt)
}

// locate returns where the request wants to go on: at a batch that has what it
// asks for, or behind the last one. It is false for a token that is not the
// server's or whose batch has expired.
func (s *Server) locate(kept archive, ask siemAsk) (position, bool) {
	at := position{batch: kept.first}
	if ask.Token != nil {
		given, ok := s.tokens.openPosition(*ask.Token)
		if !ok || given.batch < kept.first || given.batch > len(kept.all) {
			return position{}, false
		}
		at = position{batch: given.batch, file: given.file}
	}
	for at.batch < len(kept.all) {
		count := len(kept.all[at.batch].files(s.config.Types))
		if at.file < count || at.file == 0 && ask.Compress {
			break
		}
		at = position{batch: at.batch + 1}
	}
	return at, true
}

// idle is the answer when there is nothing new.
func (s *Server) idle(at position) answer {
	a := s.jsonAnswer(http.StatusOK, envelope{Meta: meta{IsLastToken: true, Status: http.StatusOK}}, OutcomeIdle)
	if s.config.IdleToken {
		a.header.Set(headerSIEMToken, s.tokens.sealPosition(at))
	}
	return a
}

// turn is a request that gets log files: those of batch from at on, or the one
// there.
type turn struct {
	ask     siemAsk
	id      string
	batch   *batch
	at      position
	passing Fault  // hits this answer only
	lasting Fault  // the batch's own
	salt    uint32 // differs from passing fault to passing fault
}

// logFiles is the answer with log files.
func (s *Server) logFiles(t turn) (answer, error) {
	body, err := s.renderer.body(t.rendering(), t.batch)
	name := strings.ReplaceAll(t.name(s.config.Types), `\`, `\\`)
	return answer{
		status: http.StatusOK,
		header: http.Header{
			headerContentType: {contentTypeBatch},
			headerDisposition: {`attachment; filename="` + name + `"`},
			headerSIEMToken:   {s.tokens.sealPosition(t.next())},
		},
		body:    body,
		outcome: OutcomeBatch,
	}, err
}

func (t turn) rendering() rendering {
	r := rendering{batch: t.batch.number, file: t.at.file, format: t.ask.format, compress: t.ask.Compress}
	if t.lasting.inArchive() {
		r.container = t.lasting
	}
	if t.passing.inArchive() {
		r.container, r.salt = t.passing, t.salt
	}
	if t.passing.addsFile() {
		r.extra, r.salt = t.passing, t.salt
	}
	return r
}

// name is what the answer's file is called.
func (t turn) name(types []string) string {
	if t.ask.Compress {
		return t.id
	}
	name := t.batch.files(types)[t.at.file].name
	if extra, ok := extraFile(t.passing, t.batch, t.salt); ok {
		name = extra.name
	}
	if t.rendering().container == FaultZipHostileNames {
		name = hostileName(name, t.at.file)
	}
	return name
}

// next is where to go on. An answer that a passing fault put in front of the
// right one leads to the right one, by another token than the one given.
func (t turn) next() position {
	switch {
	case t.passing == FaultZipEmpty, t.passing.addsFile() && !t.ask.Compress:
		return position{batch: t.at.batch, file: t.at.file, salt: t.salt}
	case t.ask.Compress:
		return position{batch: t.at.batch + 1}
	}
	return position{batch: t.at.batch, file: t.at.file + 1}
}

// Locate returns where a SIEM token leads: the number of a batch, which may be
// the one to be added next, and of a file in it. It is false for a token the
// server never gave out.
func (s *Server) Locate(token string) (number, file int, ok bool) {
	at, ok := s.tokens.openPosition(token)
	return at.batch, at.file, ok
}

// RawZip returns the archive a request for all of a batch with compress true
// gets, with the fault it always has. The format is "json" or "key_value". It
// returns an error for a number no batch has.
func (s *Server) RawZip(number int, format string) ([]byte, error) {
	return s.raw(number, 0, format, true)
}

// RawFile returns the bytes of one of a batch's log files, from 0, as a request
// with compress false gets it. It returns an error for a file there is not.
func (s *Server) RawFile(number, file int, format string) ([]byte, error) {
	return s.raw(number, file, format, false)
}

// raw returns the body of a right request for a batch's files.
func (s *Server) raw(number, file int, format string, compress bool) ([]byte, error) {
	all := s.batches.snapshot().all
	if number < 0 || number >= len(all) {
		return nil, fmt.Errorf("simulator: there is no batch %d", number)
	}
	if format != formatJSON && format != formatKeyValue {
		return nil, fmt.Errorf("simulator: there is no format %q", format)
	}
	b := all[number]
	if file < 0 || file >= len(b.files(s.config.Types)) && !compress {
		return nil, fmt.Errorf("simulator: batch %d has no file %d", number, file)
	}
	r := rendering{batch: number, file: file, format: format, compress: compress}
	if b.fault.inArchive() {
		r.container = b.fault
	}
	return s.renderer.body(r, b)
}
