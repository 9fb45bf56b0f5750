package mimecast

// Attachment returns the TTP attachment protect log: attachments that were looked
// at in the sandbox. Its events have no id.
//
// https://developer.services.mimecast.com/docs/securityevents/1/routes/api/ttp/attachment/get-logs/post
func Attachment() Log {
	return Log{
		Name: "attachment", Family: "ttp",
		Endpoint: Endpoint{
			Path:       "/api/ttp/attachment/get-logs",
			Permission: "Monitoring | Attachment Protection | Read",
			Product:    productSecurity,
			Page:       docsOf("securityevents", "/api/ttp/attachment/get-logs"),
		},
		List: "attachmentLogs", Time: "date",
		From: "from", To: "to", TimeLayout: timeLayout, OldestFirst: true,
	}
}

// AttachmentFilter narrows down [Attachment]. Values are sent unchanged. The zero
// value asks for everything.
type AttachmentFilter struct {
	Result string `json:"result,omitempty"` // one of KnownResults
	Route  string `json:"route,omitempty"`  // one of KnownRoutes
}

// Log implements [Filter].
func (AttachmentFilter) Log() Log { return Attachment() }

// KnownResults returns the documented results of [Attachment].
func KnownResults() []string {
	return []string{"all", "safe", "malicious", "timeout", "error", "unsafe"}
}
