package record

// What is known of the fields of SIEM logs. Source: Mimecast's pages on the log
// types of API 1.0, and their sample records.

// isTimeKey reports whether a field holds the time of a record.
func isTimeKey(key []byte) bool { return string(key) == "datetime" || string(key) == "eventTime" }

// isSubject reports whether a field holds what the sender of a mail wrote.
func isSubject(key []byte) bool { return string(key) == "Subject" || string(key) == "subject" }

// alwaysThere returns fields that every record of a log type has.
func alwaysThere(logType string) []string {
	switch logType {
	case "receipt":
		return []string{"Dir", "Sender", "Rcpt", "Act"}
	case "process":
		return []string{"Act", "AttCnt", "MsgSize"}
	case "delivery":
		return []string{"Delivered", "Dir", "Sender", "Rcpt"}
	case "jrnl":
		return []string{"RcptActType", "Dir"}
	case "av", "avtse", "av_tse", "ttp_ap":
		return []string{"fileName", "Sender", "Recipient"}
	case "spameventthread", "iep":
		return []string{"Route", "Sender", "Recipient"}
	case "impersonation":
		return []string{"Action", "Sender", "Recipient"}
	case "ttp_url":
		return []string{"url", "sender", "recipient"}
	}
	return []string{"acc"}
}

// isDocumented reports whether a key is a field of one of the log types.
func isDocumented(key []byte) bool {
	switch string(key) {
	case "acc", "datetime", "aCode",
		"Act", "Cphr", "Dir", "Error", "IP", "MsgId", "Rcpt", "RejCode", "RejInfo", "RejType", "Sender", "SpamInfo",
		"SpamLimit", "SpamProcessingDetail", "SpamScore", "Subject", "TlsVer", "Virus", "headerFrom", // receipt
		"AttCnt", "AttNames", "AttSize", "Hld", "IPInternalName", "IPNewDomain", "IPReplyMismatch", "IPSimilarDomain",
		"IPThreadDict", "MsgSize", // process
		"Attempt", "Delivered", "Err", "Latency", "ReceiptAck", "Route", "Snt", "UseTls", // delivery
		"RcptActType", "RcptHdrType", // jrnl
		"CustomerIP", "MimecastIP", "Recipient", "SenderDomain", "SenderDomainInternal", "Size", "fileExt", "fileMime",
		"fileName", "md5", "sha1", "sha256", // av and ttp_ap
		"SourceIP",                             // spameventthread
		"ScanResultInfo", "URL", "UrlCategory", // iep
		"Action", "CustomName", "CustomThreatDictionary", "Definition", "Hits", "InternalName", "NewDomain",
		"ReplyMismatch", "SimilarCustomExternalDomain", "SimilarInternalDomain", "SimilarMimecastExternalDomain",
		"TaggedExternal", "TaggedMalicious", "ThreatDictionary", // impersonation
		"action", "credentialTheft", "reason", "recipient", "route", "sender", "senderDomain", "sourceIp", "subject",
		"url", "urlCategory": // ttp_url
		return true
	}
	return false
}

// kind is what a field's value is in JSON.
type kind byte

const (
	isText kind = iota
	isTime
	isType // in JSON, if the file's records have types of their own
	isNumeric
	isBoolean
	isObject
	isRepeated // the field is there already
)
