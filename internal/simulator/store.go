package simulator

import (
	"fmt"
	"net/http"
)

// behindLink is what a file of events is served as.
var behindLink = scene{path: PathLinks, by: byLink, zip: true, lasting: true}

// serveLink answers a request for what is behind a link: the store is another
// service, which knows links alone.
func (s *Server) serveLink(r *http.Request) answer {
	o, f := s.behind(r.URL.Path)
	signed, ended := s.signer.check(r.URL.Path, r.URL.Query(), s.clock())
	switch {
	case r.Header.Get("Authorization") != "":
		return storeRefusal(http.StatusBadRequest, codeArgument, "Only one auth mechanism allowed")
	case r.Header.Get("Cookie") != "":
		return storeRefusal(http.StatusBadRequest, codeArgument, "A cookie is none of the store's")
	case r.Method != http.MethodGet:
		return storeRefusal(http.StatusMethodNotAllowed, codeStoreVerb, "The specified method is not allowed against this resource.")
	case f == nil:
		return linkGone()
	case !signed:
		return storeRefusal(http.StatusForbidden, codeSigned, "The request signature we calculated does not match the signature you provided.")
	case ended:
		return linkEnded()
	}
	p := packing{object: o}
	fault, n := Fault(""), uint32(0)
	if o.empty == 0 {
		here := behindLink
		here.lasting = false
		fault, n = s.faults.draw(here)
		p.fault, p.salt = fault, n
		if fault == "" && f.fault.fits(behindLink) {
			fault, p.fault = f.fault, f.fault
		}
	}
	body, err := s.gzipper.body(p, f)
	if err != nil {
		return storeRefusal(http.StatusInternalServerError, codeStore, err.Error())
	}
	return s.spoilFile(answer{
		status:  http.StatusOK,
		header:  http.Header{headerContentType: {contentTypeBatch}},
		body:    body,
		outcome: OutcomeFile,
	}, fault, n)
}

// behind returns what a path leads to, and a nil file for a path no link has.
func (s *Server) behind(path string) (object, *eventFile) {
	o, ok := parseObjectName(path)
	kept := s.files.snapshot()
	if !ok || o.file < kept.first || o.file >= len(kept.all) || o.path(kept.all[o.file]) != path {
		return object{}, nil
	}
	return o, kept.all[o.file]
}

// RawEventFile returns the body behind the link to a file, by its number from 0,
// with the fault it always has. It returns an error for a number no file has.
func (s *Server) RawEventFile(number int) ([]byte, error) {
	all := s.files.snapshot().all
	if number < 0 || number >= len(all) {
		return nil, fmt.Errorf("simulator: there is no event file %d", number)
	}
	p := packing{object: object{file: number}}
	if f := all[number]; f.fault.fits(behindLink) {
		p.fault = f.fault
	}
	return s.gzipper.body(p, all[number])
}
