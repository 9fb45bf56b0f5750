package simulator

import (
	"slices"
	"strconv"
)

func impersonationID(d *dice) string { return "MTOKEN:" + d.base64(60) }

func writeImpersonationLog(l *line, h happening) spelling {
	recipient := l.address(inside)
	l.text("id", h.id)
	subject, definition, action := l.pick(subjects), l.pick(definitions), l.pick(eventActions)
	external, malicious := l.oneIn(2), l.oneIn(2)
	ip, domain, name, word := l.ip(), l.pick(outside), l.pick(names), l.pick(threatWords)
	how := l.spelling()
	l.text("senderAddress", l.pick(people)+"@"+domain)
	messageID := "<" + l.hex(8) + "@" + domain + ">"
	first := l.below(len(similarIdentifiers))
	identifiers := slices.Clone(similarIdentifiers[first:min(first+1+l.below(2), len(similarIdentifiers))])

	l.text("recipientAddress", recipient)
	l.text("subject", subject)
	l.text("definition", definition)
	l.number("hits", len(identifiers))
	l.add("identifiers", textsOf(identifiers))
	l.text("action", action)
	l.truth("taggedExternal", external)
	l.truth("taggedMalicious", malicious)
	l.text("senderIpAddress", ip)
	l.text("eventTime", h.time)
	l.add("impersonationResults", impersonationResults(identifiers, recipient, domain, name, word))
	l.text("messageId", messageID)
	return how
}

// impersonationResults returns one result for each identifier, with the fields its
// kind has.
func impersonationResults(identifiers []string, recipient, domain, name, word string) value {
	var results []value
	for _, identifier := range identifiers {
		source := member{"impersonationDomainSource", textValue(identifier)}
		switch identifier {
		case "targeted_threat_dictionary":
			results = append(results, objectOf(source, member{"stringSimilarToDomain", textValue(word)}))
		case "internal_user_name":
			results = append(results, objectOf(source,
				member{"similarDomain", textValue(name + " <" + recipient + ">")},
				member{"stringSimilarToDomain", textValue(name)},
				member{"checkerResult", textValue("hit")}))
		default:
			results = append(results, objectOf(source,
				member{"similarDomain", textValue(domain)},
				member{"stringSimilarToDomain", value{}},
				member{"checkerResult", textValue("hit")}))
		}
	}
	return arrayOf(results...)
}

func writeURLLog(l *line, h happening) spelling {
	how := l.spelling()
	domain, verdict := l.pick(outside), l.pick(urlVerdicts)
	l.text("userEmailAddress", l.address(inside))
	l.text("fromUserEmailAddress", l.pick(people)+"@"+domain)
	l.text("url", "https://"+domain+"/a/"+l.hex(6)+"?q=1&r="+strconv.Itoa(l.below(100)))
	l.text("ttpDefinition", "Default Inbound URL Protect Definition")
	l.maybe("subject", l.pick(append([]string{""}, subjects...)))
	l.text("action", l.pick([]string{"allow", "warn", "block"}))
	l.text("adminOverride", "N/A")
	l.text("userOverride", l.pick([]string{"None", "Continue"}))
	l.text("scanResult", verdict)
	if verdict == "clean" {
		l.null("category")
	} else {
		l.text("category", l.pick(urlCategories))
	}
	l.text("sendingIp", l.ip())
	l.text("userAwarenessAction", l.pick([]string{"N/A", "Continue"}))
	l.text("date", h.time)
	l.text("actions", l.pick([]string{"None", "Allow", "Block"}))
	l.text("route", l.pick(logRoutes))
	l.text("creationMethod", l.pick([]string{"User Click", "Entry Scan"}))
	l.add("emailPartsDescription", textsOf([]string{"Body", "Attachment", "Subject"}[:l.below(3)]))
	l.text("messageId", "<"+l.hex(8)+"@"+domain+">")
	l.add("tagMap", tagMap(l, verdict))
	return how
}

// tagMap returns why an address has its verdict.
func tagMap(l *line, verdict string) value {
	status := func(texts ...string) value { return objectOf(member{"Status", textsOf(texts)}) }
	switch verdict {
	case "malicious":
		return objectOf(
			member{"DangerousFileExt", status("CustomerSpecific", "VerdictBlock")},
			member{"CredentialTheft", objectOf(member{"Score", value{kind: kindLiteral, text: "0." + strconv.Itoa(1+l.below(9))}}, member{"Evidence", value{}})})
	case "suspicious":
		return objectOf(member{"UrlReputationScan", status("VerdictWarn")})
	}
	return objectOf()
}

func writeAttachmentLog(l *line, h happening) spelling {
	how := l.spelling()
	domain, result := l.pick(outside), l.pick([]string{"safe", "safe", "malicious", "timeout", "error", "unsafe"})
	kind := mimes[l.below(len(mimes))]
	l.text("senderAddress", l.pick(people)+"@"+domain)
	l.text("recipientAddress", l.address(inside))
	l.text("fileName", l.pick(attachments))
	l.text("fileType", kind[1])
	l.text("result", result)
	l.text("actionTriggered", l.pick([]string{"none, none", "user release, none", "hold, none"}))
	l.text("date", h.time)
	l.text("details", "Verdict: "+result+"\r\nTime taken: 0 hrs, 0 min, "+strconv.Itoa(l.below(60))+" sec")
	l.text("route", l.pick(logRoutes))
	l.text("messageId", "<"+l.hex(8)+"@"+domain+">")
	l.maybe("subject", l.pick(append([]string{""}, subjects...)))
	l.text("fileHash", l.hex(32))
	l.text("definition", "Inbound - Safe file with On-Demand Sandbox")
	return how
}

func writeDLPLog(l *line, h happening) spelling {
	how := l.spelling()
	domain := l.pick(inside)
	l.text("senderAddress", l.pick(people)+"@"+domain)
	l.text("recipientAddress", l.address(outside))
	l.maybe("subject", l.pick(append([]string{""}, subjects...)))
	l.text("eventTime", h.time)
	l.text("route", l.pick(logRoutes))
	l.text("policy", l.pick([]string{"Confidential", "Card numbers | outbound", "Größere Anhänge"}))
	l.text("action", l.pick([]string{"notification", "hold", "delete", "smart_folder"}))
	l.text("messageId", "<"+l.hex(8)+"@"+domain+">")
	return how
}
