package simulator

import (
	"slices"
	"strconv"
	"strings"
)

// eventType is one type of events of API 2.0 and how a record of it is written
// between the ids and type. write returns the subtype, "" for null.
type eventType struct {
	name    string
	logType string // in the words of API 1.0
	write   func(*line, mail) string
}

// eventTypeTable returns the types of events of Cloud Gateway.
func eventTypeTable() []eventType {
	return []eventType{
		{"receipt", "receipt", writeReceiptEvent},
		{"process", "process", writeProcessEvent},
		{"delivery", "delivery", writeDeliveryEvent},
		{"journal", "jrnl", writeJournalEvent},
		{"av", "av", writeVirusEvent},
		{"spam", "spameventthread", writeSpamEvent},
		{"url protect", "ttp_url", writeURLEvent},
		{"attachment protect", "ttp_ap", writeAttachmentEvent},
		{"impersonation protect", "impersonation", writeImpersonationEvent},
		{"internal email protect", "iep", writeInternalEvent},
	}
}

// EventTypes returns the names of the types of events of Cloud Gateway.
func EventTypes() []string { return namesOf(eventTypeTable()) }

func namesOf(types []eventType) (names []string) {
	for _, t := range types {
		names = append(names, t.name)
	}
	return names
}

// eventTypeByName returns nil for a name there is no type for.
func eventTypeByName(name string) *eventType {
	for _, t := range slices.Concat(eventTypeTable(), ciTypeTable()) {
		if t.name == name {
			return &t
		}
	}
	return nil
}

// endpointOf returns the path of the endpoint that has the type: an unknown one is of
// Cloud Gateway.
func endpointOf(kind string) string {
	if slices.Contains(CITypes(), kind) {
		return PathEventsCI
	}
	return PathEvents
}

// logTypeOfEvent returns the log_type of a type of events: an unknown one in lower
// snake case.
func logTypeOfEvent(name string) string {
	if t := eventTypeByName(name); t != nil {
		return t.logType
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(name))
}

// count adds a number as API 2.0 writes it.
func (l *line) count(key string, n int) { l.text(key, strconv.Itoa(n)) }

// flow returns the direction of a mail, as it is written since 2025 or before.
func (l *line) flow(m mail) string {
	return either(l.oneIn(2), strings.ToLower(m.direction), m.direction)
}

// headers adds what most events have of a mail.
func (l *line) headers(m mail) {
	l.maybe("messageId", m.msgID)
	l.text("senderEnvelope", m.sender)
	l.maybe("subject", m.subject)
}

// refusal adds the three rejection fields: mostly nulls, and false.
func (l *line) refusal() bool {
	if !l.oneIn(6) {
		l.null("rejectionType")
		l.null("rejectionCode")
		l.null("rejectionInfo")
		return false
	}
	rejection := rejections[l.below(len(rejections))]
	l.text("rejectionType", rejection[0])
	l.text("rejectionCode", rejection[1])
	l.text("rejectionInfo", rejection[2])
	return true
}

func writeReceiptEvent(l *line, m mail) string {
	l.headers(m)
	l.text("recipients", m.rcpt)
	l.text("senderIp", m.ip)
	l.text("senderHeader", m.header)
	l.text("direction", l.flow(m))
	l.count("numberAttachments", l.below(4))
	rejected := l.refusal()
	action := either(rejected, "Rej", "Acc")
	l.text("action", action)
	l.text("tlsVersion", either(rejected, "", l.pick(tlsVersion)))
	l.text("tlsCipher", either(rejected, "", l.pick(ciphers)))
	l.text("spamInfo", "[]")
	l.spamDetail()
	l.null("virusFound")
	l.maybe("spamScore", either(l.oneIn(2), strconv.Itoa(l.below(40)-5), ""))
	l.null("spamDetectionLevel")
	l.null("receiptErrors")
	return action
}

// spamDetail adds spamProcessingDetail in one of its three encodings: an object,
// its JSON in a string, and that once more.
func (l *line) spamDetail() {
	detail := objectOf(
		member{"spf", verdict(l.pick(checks), l.oneIn(2))},
		member{"dkim", verdict(l.pick(checks), l.oneIn(2))})
	encoding := l.below(3)
	if encoding == 0 {
		detail.members = append(detail.members, member{"verdict", objectOf(
			member{"categories", textsOf([]string{l.pick(threatWords)})},
			member{"risk", value{kind: kindLiteral, text: strconv.Itoa(l.below(9)) + ".25"}})})
		l.add("spamProcessingDetail", detail)
		return
	}
	once := string(appendJSON(nil, detail, spelling{}))
	if encoding == 2 {
		once = string(appendJSONString(nil, once, spelling{}))
	}
	l.text("spamProcessingDetail", once)
}

func writeProcessEvent(l *line, m mail) string {
	hold := ""
	if l.oneIn(4) {
		hold = l.pick(holds)
	}
	action := either(hold == "", "Acc", "Hld")
	l.text("action", action)
	l.headers(m)
	l.maybe("holdReason", hold)
	count := max(0, l.below(5)-2)
	var quoted []string
	for range count {
		quoted = append(quoted, `"`+l.pick(attachments)+`"`)
	}
	l.count("totalSizeAttachments", count*(1+l.below(400_000)))
	l.count("numberAttachments", count)
	l.maybe("attachments", strings.Join(quoted, ", "))
	l.count("emailSize", 900+l.below(5_000_000))
	return action
}

func writeDeliveryEvent(l *line, m mail) string {
	l.headers(m)
	l.text("recipients", m.rcpt)
	failed := l.refusal()
	delivered := either(failed, "false", "true")
	l.text("delivered", delivered)
	l.maybe("deliveryErrors", either(failed, "Connection refused (Connection refused)", ""))
	l.text("destinationIp", m.ip)
	if l.oneIn(3) { // as since 2025
		for _, key := range []string{"Hostname", "direction", "route", "totalSizeAttachments"} {
			l.null(key)
		}
	} else {
		l.text("Hostname", "mx1."+l.pick(outside))
		l.text("direction", m.direction)
		l.text("route", l.pick(routes))
		l.count("totalSizeAttachments", l.below(900_000))
	}
	l.count("numberAttachments", l.below(3))
	l.count("deliveryAttempts", 1+l.below(17))
	l.count("deliveryTime", l.below(43_470_985))
	l.count("emailSize", l.below(3_000_000_000))
	tls := l.oneIn(2)
	l.text("tlsUsed", either(tls, l.pick([]string{"Yes", "true"}), l.pick([]string{"No", "false"})))
	l.maybe("tlsVersion", either(tls, l.pick(tlsVersion), ""))
	l.maybe("tlsCipher", either(tls, l.pick(ciphers), ""))
	return delivered
}

func writeJournalEvent(l *line, m mail) string {
	l.text("senderEnvelope", m.sender)
	l.text("recipients", m.rcpt)
	l.text("direction", l.flow(m))
	return ""
}

// attachment adds what is known of an attachment.
func (l *line) attachment(sizeKey string) {
	kind := mimes[l.below(len(mimes))]
	l.text("fileName", l.pick(attachments))
	l.text("fileExtension", kind[0])
	l.maybe("fileMime", either(l.oneIn(2), kind[1], ""))
	l.text("md5", l.hex(16))
	l.text("sha1", l.hex(20))
	l.text("sha256", l.hex(32))
	l.count(sizeKey, 1+l.below(8_000_000))
}

func writeVirusEvent(l *line, m mail) string {
	l.headers(m)
	l.text("recipients", m.rcpt)
	l.text("senderIp", m.ip)
	l.text("senderDomain", m.senderDomain)
	l.flags("senderDomainInternal")
	l.text("virusFound", l.pick(viruses))
	l.attachment("emailSize")
	l.text("route", l.flow(m))
	return ""
}

func writeSpamEvent(l *line, m mail) string {
	l.headers(m)
	l.text("recipients", m.rcpt)
	l.text("senderIp", m.ip)
	l.text("senderDomain", m.senderDomain)
	l.text("senderHeader", m.header)
	l.text("route", l.flow(m))
	return ""
}

func writeURLEvent(l *line, m mail) string {
	action := l.pick([]string{"Block", "Allow"})
	l.headers(m)
	l.text("recipients", m.rcpt)
	l.text("action", action)
	l.text("url", l.url())
	l.text("urlCategory", l.pick(urlCategories))
	l.text("blockReason", l.pick(urlVerdicts))
	l.text("sourceIp", m.ip)
	l.text("senderDomain", m.senderDomain)
	l.text("route", l.flow(m))
	analysis := "null" // the word, not a null
	if l.oneIn(3) {
		analysis = string(appendJSON(nil, objectOf(
			member{"Status", textsOf([]string{"CustomerAll"})},
			member{"CredentialTheftEvidence", textsOf([]string{"logon-form", l.pick(threatWords)})},
			member{"CredentialTheftTags", arrayOf()}), spelling{}))
	}
	l.text("analysis", analysis)
	return action
}

func writeAttachmentEvent(l *line, m mail) string {
	l.headers(m)
	l.text("recipient", m.rcpt) // this type alone has one
	l.text("senderIp", m.ip)
	l.text("senderDomain", m.senderDomain)
	l.attachment("sizeAttachment")
	l.text("route", l.flow(m))
	return ""
}

func writeImpersonationEvent(l *line, m mail) string {
	action := l.pick([]string{"Hold", "None", "Bounce"})
	l.headers(m)
	l.text("recipients", m.rcpt)
	l.text("action", action)
	l.text("policyDefinition", l.pick(definitions))
	l.count("itemsDetected", 1+l.below(3))
	l.flags("customNameMatch", "customThreatDictionary", "internalUserName", "mimecastThreatDictionary",
		"newDomain", "replyMismatch", "similarCustomExternalDomain", "similarInternalDomain",
		"similarMimecastExternalDomain", "taggedExternal", "taggedMalicious")
	l.text("senderIp", m.ip)
	l.text("route", l.flow(m))
	return action
}

func writeInternalEvent(l *line, m mail) string {
	l.headers(m)
	l.text("recipients", m.rcpt)
	l.text("urlCategory", l.pick(urlCategories))
	l.text("scanResults", l.pick(scanResults))
	l.text("route", l.flow(m))
	l.null("monitoredDomainSource")
	l.null("similarDomain")
	return ""
}
