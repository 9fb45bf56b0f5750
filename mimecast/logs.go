package mimecast

// Logs returns the table of the logs that are served in pages, in the order in
// which a user reads of them. A row is all that is known of its log.
func Logs() []Log {
	return []Log{
		URL(),
		Attachment(),
		Impersonation(),
		DLP(),
		Audit(),
		ArchiveSearch(),
		ArchiveView(),
		MessageRelease(),
		Rejections(),
		ThreatIntel(),
	}
}
