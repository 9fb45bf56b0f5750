package mimecast

import "time"

// Audit returns the audit log: what administrators and users did in the console
// and the applications. Both dates are required, at most 60 days back.
//
// https://developer.services.mimecast.com/docs/auditevents/1/routes/api/audit/get-audit-events/post
func Audit() Log {
	return Log{
		Name: "audit", Family: "audit",
		Endpoint: Endpoint{
			Path:       "/api/audit/get-audit-events",
			Permission: "Account | Logs | Read",
			Product:    productAudit,
			Page:       docsOf("auditevents", "/api/audit/get-audit-events"),
		},
		ID: "id", Time: "eventTime",
		From: "startDateTime", To: "endDateTime", TimeLayout: timeLayout, Keeps: 60 * 24 * time.Hour,
	}
}

// AuditFilter narrows down [Audit]. Values are sent unchanged. The zero value asks
// for everything.
type AuditFilter struct {
	// Categories are codes that /api/audit/get-categories returns, such as
	// authentication_logs.
	Categories []string `json:"categories,omitempty"`
}

// Log implements [Filter].
func (AuditFilter) Log() Log { return Audit() }
