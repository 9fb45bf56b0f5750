package simulator

import (
	"fmt"
	"net/http"
	"time"
)

const (
	headerFeedToken = "X-Mc-Threat-Feed-Next-Token"
	feedType        = "feedType"
	codeNoResult    = "err_threat_intel_feed_no_result_found"
)

// threatFeeds returns the values of feedType.
func threatFeeds() []string { return []string{"malware_customer", "malware_grid"} }

// stixTime is a time as STIX 2 has it.
const stixTime = "2006-01-02T15:04:05.000Z"

func writeThreat(l *line, h happening) spelling {
	how := l.spelling()
	kind := l.pick([]string{"indicator", "malware", "relationship"})
	created := startOfDay(h.at).AddDate(0, 0, -1-l.below(30))
	l.text("type", kind)
	l.text("id", kind+"--"+h.id)
	l.text("created", created.Format(stixTime))
	l.text("modified", h.at.Add(time.Duration(l.below(1000))*time.Millisecond).Format(stixTime))
	switch kind {
	case "indicator":
		l.add("labels", textsOf([]string{"malicious-activity"}))
		l.text("pattern", "[file:hashes.'SHA-256' = '"+l.hex(32)+"']")
		l.text("valid_from", created.Format(stixTime))
	case "malware":
		l.add("labels", textsOf([]string{"virus"}))
		l.text("name", l.pick(viruses))
		l.text("description", l.pick(attachments)+" "+l.hex(16))
	default:
		l.text("relationship_type", "indicates")
		l.text("source_ref", "indicator--"+l.uuid())
		l.text("target_ref", "malware--"+l.uuid())
	}
	return how
}

// feedAnswer is the answer with a page of a feed; like is what its tokens have in
// common.
func (s *Server) feedAnswer(l *pagedLog, p page, like pageToken) answer {
	if len(p.events) == 0 && like.Salt == 0 {
		a := s.refuse(http.StatusOK, failure{Code: codeNoResult, Message: "No results found for threat intel feed."})
		a.outcome = OutcomeIdle
		return a
	}
	chance := newDice(s.config.Seed, streamBundle, s.answered.Load())
	id := chance.uuid()
	body := fmt.Appendf(nil, `{"type":"bundle","id":"bundle--%s","objects":[`, id)
	body = append(s.appendEvents(body, l, p.events), "]}"...)
	a := answer{
		status: http.StatusOK,
		header: http.Header{
			headerContentType: {contentTypeBatch},
			headerDisposition: {`attachment; filename="threat-feed-` + id + `.stix"`},
		},
		body:    body,
		outcome: OutcomePage,
	}
	if next := s.pageLink(like, p.next); next != "" {
		a.header.Set(headerFeedToken, next)
	}
	return a
}
