package mimecast

import "errors"

// codeNoFeed says that a feed has nothing between two times.
const codeNoFeed = "err_threat_intel_feed_no_result_found"

// headerFeedToken has the token of a feed's next page.
const headerFeedToken = "X-Mc-Threat-Feed-Next-Token"

// ThreatIntel returns the threat intelligence feeds: malware that was found in the
// customer's own mail, and in that of the customer's region. Its events are objects
// of STIX 2, a version of each.
//
// https://developer.services.mimecast.com/docs/threatmanagement/1/routes/api/ttp/threat-intel/get-feed/post
func ThreatIntel() Log {
	return Log{
		Name: "threat_intel", Family: "threat_intel",
		Endpoint: Endpoint{
			Path:       "/api/ttp/threat-intel/get-feed",
			Permission: "Services | Gateway | Tracking | Read",
			Product:    productThreats,
			Page:       docsOf("threatmanagement", "/api/ttp/threat-intel/get-feed"),
		},
		FeedTypes: []string{"malware_customer", "malware_grid"}, FeedTypeFilter: "feedType",
		ID: "id", Version: "modified", Time: "modified",
		From: "start", To: "end", TimeLayout: timeLayout,
		Always: map[string]any{"fileType": "stix", "compress": false},
		bundle: true,
	}
}

// bundlePage reads the answer's page where it is a bundle. What the service calls
// a failure, that there is nothing, is an empty page. A token that stays the one that
// was asked for leads nowhere.
func (l Log) bundlePage(a *answer, asked string) (Page, error) {
	body, err := a.read(maxEnvelope)
	if err != nil {
		return Page{}, err
	}
	var bundle struct {
		Type    string  `json:"type"`
		Objects rawJSON `json:"objects"` // nil in an empty bundle
	}
	if err := unmarshal(body, &bundle); err != nil || bundle.Type != "bundle" {
		e, err := a.parse(body)
		if err == nil && len(e.data) > 0 {
			err = a.unexpected(body)
		}
		return Page{}, withoutNoFeed(err)
	}
	var list []rawJSON
	if bundle.Objects != nil {
		if list, err = elements(bundle.Objects); err != nil {
			return Page{}, a.unexpected(bundle.Objects)
		}
	}
	p := Page{Events: l.events(list), Next: a.header.Get(headerFeedToken)}
	if p.Next == asked {
		p.Next = ""
	}
	if len(p.Next) > maxToken {
		return Page{}, &ResponseError{a.endpoint.Path, "a page token of more than 16 KiB"}
	}
	return p, nil
}

// withoutNoFeed returns nil for the refusal that says there is nothing, else err.
func withoutNoFeed(err error) error {
	var refusal *APIError
	if errors.As(err, &refusal) && refusal.Code == codeNoFeed && !refusal.passing() {
		return nil
	}
	return err
}
