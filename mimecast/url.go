package mimecast

// URL returns the TTP URL protect log: clicks on links in mails. Its events have no
// id; equal ones may share a second.
//
// https://developer.services.mimecast.com/docs/securityevents/1/routes/api/ttp/url/get-logs/post
func URL() Log {
	return Log{
		Name: "url", Family: "ttp",
		Endpoint: Endpoint{
			Path:       "/api/ttp/url/get-logs",
			Permission: "Monitoring | URL Protection | Read",
			Product:    productSecurity,
			Page:       docsOf("securityevents", "/api/ttp/url/get-logs"),
		},
		List: "clickLogs", Time: "date",
		From: "from", To: "to", TimeLayout: timeLayout, OldestFirst: true,
	}
}

// URLFilter narrows down [URL]. Values are sent unchanged. The zero value asks for
// everything.
type URLFilter struct {
	ScanResult string `json:"scanResult,omitempty"` // one of KnownScanResults
	Route      string `json:"route,omitempty"`      // one of KnownRoutes
}

// Log implements [Filter].
func (URLFilter) Log() Log { return URL() }

// KnownScanResults returns the documented scan results of [URL].
func KnownScanResults() []string { return []string{"all", "clean", "suspicious", "malicious"} }

// KnownRoutes returns the documented routes of a mail.
func KnownRoutes() []string { return []string{"all", "inbound", "outbound", "internal"} }
