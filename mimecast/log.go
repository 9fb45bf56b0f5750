package mimecast

import "time"

// Log is a log that the service serves in pages. [Client.Page] reads it.
type Log struct {
	Name     string // a-z, 0-9 and _, a letter first; each log has its own
	Family   string // of logs that belong together, such as ttp; spelled as Name
	Endpoint Endpoint
	// Older is an endpoint that takes the place of Endpoint where that is not
	// served (404). Its Path is empty if there is none.
	Older Endpoint

	// FeedTypes are what the log is divided in; each is asked for by itself, by the
	// member FeedTypeFilter. Nil: it is not divided.
	FeedTypes      []string
	FeedTypeFilter string

	// Shape of an answer: data[].{List} are lists of events. An empty List
	// means that the elements of data are the events.
	List    string
	ID      string // member of an event that is its unique id; empty: it has none
	Version string // member that tells apart versions of one id; empty: there is one
	Time    string // member of an event that is its time, with an offset

	// Names of the filters for the times of the first and the last event, both
	// included, and the layout of package time in which they are written.
	From, To   string
	TimeLayout string
	Always     map[string]any // other members that each request has; nil: none
	// OldestFirst reports whether the log has a filter oldestFirst, which
	// Client.Page then sets. Others come newest first.
	OldestFirst bool
	// Keeps is how far back the service lets ask; 0: not documented.
	Keeps time.Duration

	// bundle reports whether the answer is a STIX bundle rather than an envelope,
	// with the token of the next page in a header, which goes back in the filter.
	bundle bool
}

// Endpoint is one of the API's, as its documentation describes it.
type Endpoint struct {
	Path       string // for instance /api/ttp/url/get-logs
	Permission string // what the role of the caller needs, as the console spells it; empty: not documented
	Setting    string // what has to be on for the account; empty: nothing
	Product    string // what an API 2.0 application needs to call it; empty: 2.0 does not have it
	Page       string // URL of Mimecast's documentation
}

// Filter narrows down a log. It encodes as a JSON object whose members are named
// as in the documentation of the endpoint.
type Filter interface {
	Log() Log // that it is for
}

// timeLayout is how times are written in answers, and in requests where the
// documentation says nothing else.
const timeLayout = "2006-01-02T15:04:05-0700"

// Products of API 2.0, as the console names them.
const (
	productSecurity = "Security Events"
	productAudit    = "Audit Events"
	productThreats  = "Threat Management"
)

// docsOf returns the URL of an endpoint's documentation for API 2.0, which goes by
// the product and the path.
func docsOf(product, path string) string {
	return "https://developer.services.mimecast.com/docs/" + product + "/1/routes" + path + "/post"
}
