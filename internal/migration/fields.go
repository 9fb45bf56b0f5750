// Package migration says which field of a SIEM log of API 2.0 stands for which of
// API 1.0, for docs/migration.md. No code of the plugin uses it.
package migration

import "strings"

// Field is a field of SIEM logs of API 1.0.
type Field struct {
	Old      string
	New      string   // in API 2.0; empty if it has none
	Value    Value    // what the field has in API 1.0
	LogTypes []string // that have it
	Note     string   // why there is no New
}

// Value is the kind of a field's values in API 1.0. Where it is not what API 2.0
// has with typed on, the filter converts it.
type Value string

// The kinds of values.
const (
	Text    Value = "text" // also where API 2.0 has a number or a boolean
	Number  Value = "number"
	Boolean Value = "boolean"
	Object  Value = "object"
	Time    Value = "time"    // a text, with seconds and an offset
	Capital Value = "capital" // a text such as Inbound
	Lower   Value = "lower"   // a text such as inbound
	YesNo   Value = "yesno"   // Yes or No
)

// String says what the values are like.
func (v Value) String() string {
	switch v {
	case Time:
		return "`2026-01-02T03:04:05+0000`"
	case Capital:
		return "`Inbound`"
	case Lower:
		return "`inbound`"
	case YesNo:
		return "`Yes` or `No`"
	}
	return string(v)
}

// LogTypes returns the types of SIEM logs, in the words of API 1.0.
func LogTypes() []string {
	return strings.Fields("receipt process delivery jrnl av spameventthread ttp_url ttp_ap impersonation iep")
}

// Fields returns the fields of API 1.0. Sources: Mimecast's pages and sample records
// of both APIs, and the tables of other collectors.
func Fields() []Field {
	all := strings.Join(LogTypes(), " ")
	const (
		files     = "av ttp_ap"
		later     = "av spameventthread ttp_ap impersonation iep" // whose names are spelled out
		withACode = "receipt process delivery jrnl spameventthread impersonation iep"
	)
	fields := []Field{
		field("acc", "accountId", Text, all),
		field("datetime", "timestamp", Time, all),
		field("MsgId", "messageId", Text, "receipt process delivery av spameventthread impersonation iep"),
		field("Subject", "subject", Text, "receipt delivery av spameventthread impersonation iep"),
		field("subject", "subject", Text, "ttp_url"),
		field("Sender", "senderEnvelope", Text, "receipt delivery jrnl "+later),
		field("sender", "senderEnvelope", Text, "ttp_url"),
		field("headerFrom", "senderHeader", Text, "receipt spameventthread"),
		field("SenderDomain", "senderDomain", Text, "av spameventthread ttp_ap"),
		field("senderDomain", "senderDomain", Text, "ttp_url"),
		field("Rcpt", "recipients", Text, "receipt delivery jrnl"),
		field("Recipient", "recipients", Text, "av spameventthread impersonation iep"),
		field("Recipient", "recipient", Text, "ttp_ap"),
		field("recipient", "recipients", Text, "ttp_url"),
		field("Dir", "direction", Capital, "receipt delivery jrnl"),
		field("Route", "route", Text, "delivery"),
		field("Route", "route", Capital, later),
		field("route", "route", Lower, "ttp_url"),
		field("IP", "senderIp", Text, "receipt av ttp_ap impersonation"),
		field("IP", "destinationIp", Text, "delivery"),
		field("SourceIP", "senderIp", Text, "spameventthread"),
		field("sourceIp", "sourceIp", Text, "ttp_url"),
		field("Act", "action", Text, "receipt process"),
		field("Action", "action", Text, "impersonation"),
		field("action", "action", Text, "ttp_url"),
		field("RejType", "rejectionType", Text, "receipt delivery"),
		field("RejCode", "rejectionCode", Text, "receipt delivery"),
		field("RejInfo", "rejectionInfo", Text, "receipt delivery"),
		field("TlsVer", "tlsVersion", Text, "receipt delivery"),
		field("Cphr", "tlsCipher", Text, "receipt delivery"),
		field("UseTls", "tlsUsed", YesNo, "delivery"),
		field("SpamLimit", "spamDetectionLevel", Number, "receipt"),
		field("SpamScore", "spamScore", Number, "receipt"),
		field("SpamInfo", "spamInfo", Text, "receipt"),
		field("SpamProcessingDetail", "spamProcessingDetail", Object, "receipt"),
		field("Virus", "virusFound", Text, "receipt av"),
		field("Error", "receiptErrors", Text, "receipt"),
		field("Hld", "holdReason", Text, "process"),
		field("AttCnt", "numberAttachments", Number, "process delivery"),
		field("AttSize", "totalSizeAttachments", Number, "process delivery"),
		field("AttNames", "attachments", Text, "process"),
		field("MsgSize", "emailSize", Number, "process"),
		field("Delivered", "delivered", Boolean, "delivery"),
		field("Attempt", "deliveryAttempts", Number, "delivery"),
		field("Latency", "deliveryTime", Number, "delivery"),
		field("Snt", "emailSize", Number, "delivery"),
		field("Err", "deliveryErrors", Text, "delivery"),
		field("SenderDomainInternal", "senderDomainInternal", Text, "av"),
		field("fileName", "fileName", Text, files),
		field("fileExt", "fileExtension", Text, files),
		field("fileMime", "fileMime", Text, files),
		field("md5", "md5", Text, files),
		field("sha1", "sha1", Text, files),
		field("sha256", "sha256", Text, files),
		field("Size", "emailSize", Number, "av"),
		field("Size", "sizeAttachment", Number, "ttp_ap"),
		field("reason", "blockReason", Text, "ttp_url"),
		field("url", "url", Text, "ttp_url"),
		field("urlCategory", "urlCategory", Text, "ttp_url"),
		field("UrlCategory", "urlCategory", Text, "iep"),
		field("ScanResultInfo", "scanResults", Text, "iep"),
		field("Definition", "policyDefinition", Text, "impersonation"),
		field("Hits", "itemsDetected", Text, "impersonation"),
		field("InternalName", "internalUserName", Text, "impersonation"),
		field("CustomName", "customNameMatch", Text, "impersonation"),
		field("NewDomain", "newDomain", Text, "impersonation"),
		field("ReplyMismatch", "replyMismatch", Text, "impersonation"),
		field("ThreatDictionary", "mimecastThreatDictionary", Text, "impersonation"),
		field("CustomThreatDictionary", "customThreatDictionary", Text, "impersonation"),
		field("SimilarInternalDomain", "similarInternalDomain", Text, "impersonation"),
		field("SimilarCustomExternalDomain", "similarCustomExternalDomain", Text, "impersonation"),
		field("SimilarMimecastExternalDomain", "similarMimecastExternalDomain", Text, "impersonation"),
		field("TaggedExternal", "taggedExternal", Text, "impersonation"),
		field("TaggedMalicious", "taggedMalicious", Text, "impersonation"),

		gone("aCode", Text, withACode, "`aggregateId` joins the events of a mail, but is another text: most often `aCode`, `_` and a number"),
		gone("credentialTheft", Object, "ttp_url", "`analysis` has other members"),
		gone("URL", Text, "iep", ""),
		gone("ReceiptAck", Text, "delivery", ""),
		gone("RcptActType", Text, "jrnl", ""),
		gone("RcptHdrType", Text, "jrnl", ""),
		gone("CustomerIP", Text, "av", ""),
		gone("MimecastIP", Text, "av", ""),
	}
	for _, name := range []string{"IPInternalName", "IPNewDomain", "IPReplyMismatch", "IPSimilarDomain", "IPThreadDict"} {
		fields = append(fields, gone(name, Text, "process", "the impersonation log has the like"))
	}
	return fields
}

func field(oldName, newName string, v Value, logTypes string) Field {
	return Field{Old: oldName, New: newName, Value: v, LogTypes: strings.Fields(logTypes)}
}

func gone(name string, v Value, logTypes, note string) Field {
	return Field{Old: name, Value: v, LogTypes: strings.Fields(logTypes), Note: note}
}
