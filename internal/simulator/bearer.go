package simulator

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// PathToken is the endpoint of bearer tokens.
const PathToken = "/oauth/token"

// serveToken answers a request for a bearer token.
func (s *Server) serveToken(r *http.Request) answer {
	if r.Method != http.MethodPost {
		return s.gatewayRefusal(http.StatusMethodNotAllowed, codeMethod, "Only POST is allowed")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return s.gatewayRefusal(http.StatusBadRequest, codeValidation, "The body could not be read")
	}
	form, err := url.ParseQuery(string(body))
	isForm := strings.HasPrefix(r.Header.Get(headerContentType), "application/x-www-form-urlencoded")
	if err != nil || !isForm || form.Get("grant_type") != "client_credentials" {
		return s.gatewayRefusal(http.StatusBadRequest, codeValidation, "The body must be a form with grant_type client_credentials")
	}
	token, ok := s.issuer.issue(Client{ID: form.Get("client_id"), Secret: form.Get("client_secret")}, s.clock())
	if !ok {
		return s.refuseClient()
	}
	a := s.encoded(http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string `json:"scope"`
	}{token, "Bearer", int(s.config.TokenLife / time.Second), ""}, OutcomeToken)
	here := scene{path: PathToken, by: byClient}
	fault, n := s.faults.draw(here)
	return s.spoilToken(a, here, fault, n, quota{limit: s.config.RateLimit, reset: s.config.RateWindow})
}

const bearer = "Bearer "

// admitBearer returns the refusal of a request without a good bearer token.
func (s *Server) admitBearer(r *http.Request) (refusal answer, ok bool) {
	token, given := strings.CutPrefix(r.Header.Get("Authorization"), bearer)
	if !given {
		return s.refuseBearer(codeUnauthorized), false
	}
	known, ended := s.issuer.check(token, s.clock())
	switch {
	case !known:
		return s.refuseBearer(codeUnverified), false
	case ended:
		return s.refuseBearer(codeExpired), false
	}
	return answer{}, true
}

// serveBearer answers a request for a page of events that API 2.0 has from 1.0.
// Its quota is not documented: [Config.RateLimit] is in force.
func (s *Server) serveBearer(r *http.Request, now time.Time) answer {
	if refusal, ok := s.admitBearer(r); !ok {
		return refusal
	}
	if r.Method != http.MethodPost {
		return s.gatewayRefusal(http.StatusMethodNotAllowed, codeMethod, "Only POST is allowed")
	}
	q, within := s.limits.take(now)
	if !within {
		return s.refuseQuota(q)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return s.refuse(http.StatusBadRequest, failure{Code: codeJSON, Message: "The body could not be read"})
	}
	return s.servePage(logAt(r.URL.Path), body, caller{by: byBearer, quota: q})
}

func (s *Server) forbidden() []string { return loaded(&s.refused) }

// loaded returns a list, empty before it was set.
func loaded(list *atomic.Pointer[[]string]) []string {
	if set := list.Load(); set != nil {
		return *set
	}
	return nil
}
