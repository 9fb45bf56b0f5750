package mimecast

// ArchiveSearch returns the archive search log: searches in the mail archive. Its
// events have no id. The older endpoint has no documented filter for dates.
//
// https://developer.services.mimecast.com/docs/auditevents/1/routes/api/archive/get-search-logs/post
func ArchiveSearch() Log {
	endpoint := Endpoint{
		Path:       "/api/archive/get-search-logs",
		Permission: "Archive | Search Logs | Read",
		Product:    productAudit,
		Page:       docsOf("auditevents", "/api/archive/get-search-logs"),
	}
	older := endpoint
	older.Path = "/api/archive/get-archive-search-logs"
	older.Page = docsOf("auditevents", older.Path)
	return Log{
		Name: "archive_search", Family: "archive_search", Endpoint: endpoint, Older: older,
		List: "logs", Time: "createTime",
		From: "start", To: "end", TimeLayout: timeLayout,
	}
}
