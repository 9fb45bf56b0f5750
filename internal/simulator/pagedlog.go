package simulator

import (
	"slices"
	"time"
)

// The endpoints of logs that are served in pages.
const (
	PathURL              = "/api/ttp/url/get-logs"
	PathAttachment       = "/api/ttp/attachment/get-logs"
	PathImpersonation    = "/api/ttp/impersonation/get-logs"
	PathDLP              = "/api/dlp/get-logs"
	PathAudit            = "/api/audit/get-audit-events"
	PathArchiveSearch    = "/api/archive/get-search-logs"
	PathOldArchiveSearch = "/api/archive/get-archive-search-logs" // the older one, of the same log
	PathArchiveView      = "/api/archive/get-view-logs"
	PathMessageRelease   = "/api/gateway/get-held-release-logs"
	PathRejections       = "/api/gateway/get-rejections"
	PathThreatIntel      = "/api/ttp/threat-intel/get-feed"
)

const logImpersonation = "impersonation"

// pagedLog is a log that is served in pages.
type pagedLog struct {
	name   string // also log_type, but for the feeds
	source string // log_source
	path   string
	list   string // of the events in data[0]; "" when the elements of data are the events
	sum    bool   // resultCount is beside the list
	time   string // member of an event

	// How an event is made: from which stream of chance, with which id, nil for none,
	// and by which members.
	stream uint64
	id     func(*dice) string
	write  func(*line, happening) spelling

	// What a request may say, and must.
	dates       dates
	oldestFirst bool // it has a filter oldestFirst; without, the newest are first
	rising      bool // the oldest are first, always
	one         bool // data must have an element
	admin       bool // without the filter admin one sees one's own events: there are none
	filters     []filter
	search      []searchable
	undated     bool     // events may be without their time
	feeds       []string // values of feedType, each a log_type: there is no envelope
}

// dates are the filters for the time of events.
type dates struct {
	from, to string                        // "" when there are none
	since    func(now time.Time) time.Time // where from is when it is not given; nil when both must be
	reach    time.Duration                 // how far back from may be, 0 for no end
}

// filter is a filter for the values of a member of events.
type filter struct {
	name   string
	kind   kind     // how it is given: a text, an array of texts, or a literal: true or false
	member string   // "" for one that is only looked at
	values []string // allowed, nil for any
	needed bool
}

// searchable is a member of events that the filter query looks into.
type searchable struct {
	field  string // as searchField names it, "" where there is no searchField
	member string
}

// pagedLogTable returns every log, in the order that [Server.Expected] has.
func pagedLogTable() []pagedLog {
	fromTo := dates{from: "from", to: "to", since: startOfDay}
	startEnd := dates{from: "start", to: "end", since: startOfDay}
	route := filter{name: "route", kind: kindText, member: "route", values: []string{"all", "inbound", "outbound", "internal"}}
	mailSearch := []searchable{{"senderAddress", "senderAddress"}, {"recipientAddress", "recipientAddress"}, {"subject", "subject"}}
	archiveSearch := pagedLog{
		name: "archive_search", source: "archive_search", path: PathArchiveSearch,
		list: "logs", time: "createTime", stream: streamArchiveSearch, write: writeArchiveSearch,
		dates: startEnd, search: []searchable{{"", "emailAddr"}, {"", "searchText"}, {"", "searchReason"}},
	}
	olderSearch := archiveSearch
	olderSearch.path, olderSearch.dates = PathOldArchiveSearch, dates{}
	return []pagedLog{
		{
			name: logImpersonation, source: sourceTTP, path: PathImpersonation,
			list: "impersonationLogs", sum: true, time: "eventTime", stream: streamEvent, id: impersonationID, write: writeImpersonationLog,
			dates: fromTo, oldestFirst: true,
			filters: []filter{
				{name: "taggedMalicious", kind: kindLiteral, member: "taggedMalicious"},
				{name: "identifiers", kind: kindArray, member: "identifiers"},
				{name: "actions", kind: kindArray, member: "action"},
			},
			search: slices.Concat(mailSearch, []searchable{{"policy", "definition"}}),
		},
		{
			name: "url", source: sourceTTP, path: PathURL,
			list: "clickLogs", time: "date", stream: streamURL, write: writeURLLog,
			dates: fromTo, oldestFirst: true,
			filters: []filter{
				route,
				{name: "scanResult", kind: kindText, member: "scanResult", values: []string{"all", "clean", "malicious", "suspicious"}},
			},
		},
		{
			name: "attachment", source: sourceTTP, path: PathAttachment,
			list: "attachmentLogs", time: "date", stream: streamAttachment, write: writeAttachmentLog,
			dates: fromTo, oldestFirst: true,
			filters: []filter{
				route,
				{name: "result", kind: kindText, member: "result", values: []string{"all", "safe", "malicious", "timeout", "error", "unsafe"}},
			},
		},
		{
			name: "dlp", source: "dlp", path: PathDLP,
			list: "dlpLogs", time: "eventTime", stream: streamDLP, write: writeDLPLog,
			dates: fromTo, oldestFirst: true,
			filters: []filter{
				{name: "routes", kind: kindArray, member: "route"},
				{name: "actions", kind: kindArray, member: "action"},
			},
			search: slices.Concat(mailSearch, []searchable{{"policy", "policy"}}),
		},
		{
			name: "audit", source: "audit", path: PathAudit,
			time: "eventTime", stream: streamAudit, id: auditID, write: writeAuditEvent,
			dates: dates{from: "startDateTime", to: "endDateTime", reach: auditRetention}, one: true,
			filters: []filter{{name: "categories", kind: kindArray, member: "category"}},
			search:  []searchable{{"", "auditType"}, {"", "user"}, {"", "eventInfo"}},
		},
		archiveSearch,
		olderSearch,
		{
			name: "archive_view", source: "archive_view", path: PathArchiveView,
			time: "viewed", stream: streamArchiveView, write: writeArchiveView,
			dates: startEnd, search: []searchable{{"", "viewer"}, {"", "from"}, {"", "to"}, {"", "subject"}},
		},
		{
			name: "message_release", source: "message_release", path: PathMessageRelease,
			list: "heldReleaseLogs", time: "released", stream: streamRelease, id: gatewayID, write: writeRelease,
			dates: dates{from: "start", to: "end", since: monthBefore}, undated: true,
		},
		{
			name: "rejections", source: "rejections", path: PathRejections,
			list: "rejections", time: "created", stream: streamRejection, id: gatewayID, write: writeRejectionLog,
			dates: startEnd, one: true, admin: true,
			filters: []filter{{name: "admin", kind: kindLiteral}},
		},
		{
			name: "threat_intel", source: "threat_intel", path: PathThreatIntel,
			time: "modified", stream: streamThreat, id: (*dice).uuid, write: writeThreat,
			dates: startEnd, rising: true, one: true, feeds: threatFeeds(),
			filters: []filter{
				{name: feedType, kind: kindText, values: threatFeeds(), needed: true},
				{name: "fileType", kind: kindText, values: []string{"stix"}, needed: true},
				{name: "compress", kind: kindLiteral, values: []string{"false"}},
			},
		},
	}
}

// auditRetention is how far back a request for audit events may ask.
const auditRetention = 60 * 24 * time.Hour

func startOfDay(now time.Time) time.Time { return now.UTC().Truncate(24 * time.Hour) }

func monthBefore(now time.Time) time.Time { return now.UTC().AddDate(0, -1, 0) }

// Logs returns the names of the logs that are served in pages.
func Logs() (names []string) {
	for _, l := range pagedLogTable() {
		if !slices.Contains(names, l.name) {
			names = append(names, l.name)
		}
	}
	return names
}

// logByName returns nil for a name no paged log has.
func logByName(name string) *pagedLog {
	return findLog(func(l pagedLog) bool { return l.name == name })
}

// logAt returns nil for a path at which there is no paged log.
func logAt(path string) *pagedLog { return findLog(func(l pagedLog) bool { return l.path == path }) }

func findLog(wanted func(pagedLog) bool) *pagedLog {
	table := pagedLogTable()
	if i := slices.IndexFunc(table, wanted); i >= 0 {
		return &table[i]
	}
	return nil
}

// logType returns the log_type of an event.
func (l *pagedLog) logType(e event) string {
	if l.feeds == nil {
		return l.name
	}
	return l.feeds[e.feed]
}
