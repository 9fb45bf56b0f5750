package simulator

// ciTypeTable returns the types of events of Cloud Integrated. Their values are JSON's
// own types, not texts.
func ciTypeTable() []eventType {
	return []eventType{
		{"entities", "entities", writeEntitiesEvent},
		{"mailflow", "mailflow", writeMailflowEvent},
		{"urlclick", "urlclick", writeClickEvent},
	}
}

// CITypes returns the names of the types of events of Cloud Integrated.
func CITypes() []string { return namesOf(ciTypeTable()) }

func writeEntitiesEvent(l *line, m mail) string {
	threat := l.pick(ciThreats)
	tags := value{}
	if threat != ciThreats[0] {
		tags = textsOf([]string{threat})
	}
	var files []string
	for range l.below(3) {
		files = append(files, l.pick(attachments))
	}
	recipients := []string{m.rcpt}
	if l.oneIn(4) {
		recipients = append(recipients, l.address(inside))
	}
	l.maybe("messageId", m.msgID)
	l.maybe("subject", m.subject)
	l.text("senderEnvelope", either(m.sender == "<>", "", m.sender))
	l.text("senderHeader", m.header)
	l.text("senderIp", m.ip)
	l.add("recipients", textsOf(recipients))
	l.add("attachments", textsOf(files))
	l.text("direction", l.pick([]string{"INBOUND", "Inbound"}))
	l.truth("historicalMail", l.oneIn(5))
	l.text("source", "OFFICE_365_MAIL")
	l.add("policiesApplied", arrayOf(objectOf(
		member{"action", textValue(l.pick(ciActions))},
		member{"mode", textValue("ACTIVE")},
		member{"name", textValue("Default mail policy")})))
	l.text("threatState", l.pick(ciStates))
	l.text("threatType", threat)
	l.add("tags", tags)
	return threat
}

func writeMailflowEvent(l *line, m mail) string {
	var results []value
	for _, check := range []string{"SPF", "DKIM", "DMARC"} {
		aligned := truthValue(l.oneIn(2))
		if check == "DMARC" {
			aligned = value{}
		}
		results = append(results, objectOf(
			member{"aligned", aligned},
			member{"result", textValue(l.pick([]string{"pass", "fail", "none"}))},
			member{"type", textValue(check)}))
	}
	l.maybe("messageId", m.msgID)
	l.add("authResults", arrayOf(results...))
	return ""
}

func writeClickEvent(l *line, m mail) string {
	l.maybe("messageId", m.msgID)
	l.maybe("subject", m.subject)
	l.text("senderEnvelope", m.sender)
	l.add("recipients", textsOf([]string{m.rcpt}))
	l.text("action", "BLOCK") // no others are told
	l.text("originalUrl", l.url())
	l.text("redirectUrl", l.url())
	l.text("sourceIp", m.ip)
	return ""
}
