package simulator

import "strings"

// logType is one kind of log file: the prefix of its name and how a line of it
// is written after datetime, acc and aCode.
type logType struct {
	name  string
	aCode bool
	write func(*line, mail)
}

// logTypeTable returns every log type, in the order they lie in a batch.
func logTypeTable() []logType {
	return []logType{
		{"receipt", true, writeReceipt},
		{"process", true, writeProcess},
		{"delivery", true, writeDelivery},
		{"jrnl", true, writeJournal},
		{"av", false, writeVirus},
		{"spameventthread", true, writeSpam},
		{"ttp_url", false, writeURL},
		{"ttp_ap", false, writeAttachment},
		{"impersonation", true, writeImpersonation},
		{"iep", true, writeInternal},
	}
}

// LogTypes returns the names of all log types a simulator can write.
func LogTypes() []string {
	var names []string
	for _, t := range logTypeTable() {
		names = append(names, t.name)
	}
	return names
}

// logTypeByName returns nil for a name there is no log type for.
func logTypeByName(name string) *logType {
	for _, t := range logTypeTable() {
		if t.name == name {
			return &t
		}
	}
	return nil
}

// logTypeOf returns the log type a file's name gives: its base without the
// stamp, which is "_" and digits, and without extension.
func logTypeOf(fileName string) string {
	base := fileName[strings.LastIndexAny(fileName, `/\`)+1:]
	if dot := strings.LastIndexByte(base, '.'); dot > 0 {
		base = base[:dot]
	}
	stem := strings.TrimRight(base, "0123456789")
	if stem != base && strings.HasSuffix(stem, "_") {
		return strings.TrimSuffix(stem, "_")
	}
	return base
}

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

func writeReceipt(l *line, m mail) {
	l.number("SpamLimit", 28)
	l.text("IP", m.ip)
	l.text("Dir", m.direction)
	l.maybe("MsgId", m.msgID)
	l.maybe("Subject", m.subject)
	l.text("headerFrom", m.header)
	l.text("Sender", m.sender)
	l.text("Rcpt", m.rcpt)
	l.text("SpamInfo", "[]")
	rejected := l.rejection()
	l.text("Act", either(rejected, "Rej", "Acc"))
	l.text("TlsVer", l.pick(tlsVersion))
	l.text("Cphr", l.pick(ciphers))
	l.object("SpamProcessingDetail",
		member{"spf", verdict(l.pick(checks), l.oneIn(2))},
		member{"dkim", verdict(l.pick(checks), l.oneIn(2))})
	l.number("SpamScore", l.below(40)-5)
	l.null("Virus")
	l.null("Error")
}

func verdict(info string, allow bool) value {
	return objectOf(member{"info", textValue(info)}, member{"allow", truthValue(allow)})
}

// rejection adds RejType, RejCode and RejInfo: mostly nulls, and false.
func (l *line) rejection() bool {
	if !l.oneIn(6) {
		l.null("RejType")
		l.null("RejCode")
		l.null("RejInfo")
		return false
	}
	rejection := rejections[l.below(len(rejections))]
	l.text("RejType", rejection[0])
	l.text("RejCode", rejection[1])
	l.text("RejInfo", rejection[2])
	return true
}

func writeProcess(l *line, m mail) {
	hold := ""
	if l.oneIn(4) {
		hold = l.pick(holds)
	}
	l.text("Act", either(hold == "", "Acc", "Hld"))
	l.maybe("Hld", hold)
	l.attachments()
	l.maybe("MsgId", m.msgID)
	l.number("MsgSize", 900+l.below(5_000_000))
	l.flags("IPInternalName", "IPNewDomain", "IPReplyMismatch", "IPSimilarDomain", "IPThreadDict")
}

// attachments adds AttCnt, AttSize and AttNames: one text of quoted names.
func (l *line) attachments() {
	count := max(0, l.below(5)-2)
	l.number("AttCnt", count)
	if count == 0 {
		l.number("AttSize", 0)
		l.null("AttNames")
		return
	}
	l.number("AttSize", count*(1+l.below(400_000)))
	var quoted []string
	for range count {
		quoted = append(quoted, `"`+l.pick(attachments)+`"`)
	}
	l.text("AttNames", strings.Join(quoted, ", "))
}

func writeDelivery(l *line, m mail) {
	failed := l.rejection()
	l.truth("Delivered", !failed)
	l.maybe("Err", either(failed, "Connection refused (Connection refused)", ""))
	l.text("IP", m.ip)
	l.number("AttCnt", l.below(3))
	l.text("Dir", m.direction)
	l.maybe("ReceiptAck", either(failed, "", l.pick(acks)))
	l.maybe("MsgId", m.msgID)
	l.maybe("Subject", m.subject)
	l.number("Latency", l.below(43_470_985))
	l.text("Sender", m.sender)
	l.text("Rcpt", m.rcpt)
	l.number("AttSize", l.below(900_000))
	l.number("Attempt", 1+l.below(17))
	l.text("Route", l.pick(routes))
	l.number("Snt", l.below(3_000_000_000)) // more than 32 bits hold
	l.text("UseTls", either(l.oneIn(2), "Yes", "No"))
}

func writeJournal(l *line, m mail) {
	l.text("Sender", m.sender)
	l.text("Rcpt", m.rcpt)
	l.text("RcptActType", l.pick([]string{"Jnl", "Jnl + Rcpt"}))
	l.text("RcptHdrType", l.pick([]string{"To", "Cc", "Bcc", "Unknown"}))
	l.text("Dir", m.direction)
}

// file adds what is known of an attachment; the hashes make the record unique.
func (l *line) file() {
	kind := mimes[l.below(len(mimes))]
	l.text("fileName", l.pick(attachments))
	l.text("fileExt", kind[0])
	l.text("fileMime", kind[1])
	l.text("md5", l.hex(16))
	l.text("sha1", l.hex(20))
	l.text("sha256", l.hex(32))
	l.number("Size", 1+l.below(8_000_000))
}

func writeVirus(l *line, m mail) {
	l.maybe("MsgId", m.msgID)
	l.maybe("Subject", m.subject)
	l.text("Virus", l.pick(viruses))
	l.file()
	l.flags("CustomerIP", "MimecastIP", "SenderDomainInternal")
	l.text("IP", m.ip)
	l.text("Route", m.direction)
	l.text("Sender", m.sender)
	l.text("SenderDomain", m.senderDomain)
	l.text("Recipient", m.rcpt)
}

func writeSpam(l *line, m mail) {
	l.text("SourceIP", m.ip)
	l.text("Sender", m.sender)
	l.text("SenderDomain", m.senderDomain)
	l.text("headerFrom", m.header)
	l.text("Recipient", m.rcpt)
	l.maybe("MsgId", m.msgID)
	l.maybe("Subject", m.subject)
	l.text("Route", m.direction)
}

func writeURL(l *line, m mail) {
	l.text("reason", l.pick(urlVerdicts))
	l.text("url", l.url())
	l.text("urlCategory", l.pick(urlCategories))
	l.text("action", l.pick([]string{"Block", "Allow"}))
	l.text("sourceIp", m.ip)
	l.text("route", strings.ToLower(m.direction))
	l.text("sender", m.sender)
	l.text("senderDomain", m.senderDomain)
	l.text("recipient", m.rcpt)
	l.maybe("subject", m.subject)
	if l.oneIn(3) {
		l.object("credentialTheft",
			member{"tags", textsOf([]string{"logon-form", l.pick(threatWords)})},
			member{"score", numberValue(l.below(100))},
			member{"brand", value{}})
		return
	}
	l.null("credentialTheft")
}

// url returns a unique address, with the bytes that are special elsewhere.
func (l *line) url() string {
	return "https://" + l.pick(outside) + "/" + l.hex(12) + "?q=a|b&next=/login?x=1#top"
}

func writeAttachment(l *line, m mail) {
	l.text("IP", m.ip)
	l.text("Recipient", m.rcpt)
	l.text("Route", m.direction)
	l.text("Sender", m.sender)
	l.text("SenderDomain", m.senderDomain)
	l.file()
}

func writeImpersonation(l *line, m mail) {
	l.text("Action", l.pick([]string{"Hold", "None", "Bounce"}))
	l.text("Definition", l.pick(definitions))
	l.text("Hits", l.pick([]string{"1", "2", "3"}))
	l.flags("CustomName", "CustomThreatDictionary", "InternalName", "NewDomain", "ReplyMismatch",
		"SimilarCustomExternalDomain", "SimilarInternalDomain", "SimilarMimecastExternalDomain",
		"TaggedExternal", "TaggedMalicious", "ThreatDictionary")
	l.text("IP", m.ip)
	l.maybe("MsgId", m.msgID)
	l.text("Sender", m.sender)
	l.text("Recipient", m.rcpt)
	l.text("Route", m.direction)
	l.maybe("Subject", m.subject)
}

func writeInternal(l *line, m mail) {
	l.text("ScanResultInfo", l.pick(scanResults))
	l.text("URL", l.url())
	l.text("UrlCategory", l.pick(urlCategories))
	l.maybe("MsgId", m.msgID)
	l.text("Sender", m.sender)
	l.text("Recipient", m.rcpt)
	l.text("Route", m.direction)
	l.maybe("Subject", m.subject)
}
