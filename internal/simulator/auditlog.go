package simulator

import (
	"strconv"
	"time"
)

func auditID(d *dice) string { return "eNo" + d.base64(60) }

func gatewayID(d *dice) string { return "eNoV" + d.base64(90) }

func writeAuditEvent(l *line, h happening) spelling {
	how := l.spelling()
	kinds := [][2]string{
		{"User Logged On", "authentication_logs"},
		{"Logon Authentication Failed", "authentication_logs"},
		{"Existing Policy Changed", "policy_logs"},
		{"User Account Updated", "account_logs"},
		{"Search Action", "case_review_logs"},
	}
	kind, user := kinds[l.below(len(kinds))], l.address(inside)
	l.text("id", h.id)
	l.text("auditType", kind[0])
	l.text("user", user)
	l.text("eventTime", h.time)
	l.text("eventInfo", kind[0]+" for "+user+", Date: "+h.at.Format("2006-01-02")+", Time: "+h.at.Format("15:04:05")+
		", IP: "+l.ip()+", Application: Administration Console, Method: \"Cloud\"")
	l.text("category", kind[1])
	return how
}

func writeArchiveSearch(l *line, h happening) spelling {
	how := l.spelling()
	text := l.pick(subjects)
	l.text("createTime", h.time)
	l.text("emailAddr", l.address(inside))
	l.text("source", l.pick([]string{"archive", "administration"}))
	l.text("searchText", text)
	l.text("searchReason", l.pick([]string{"", "Audit", "Rechtsstreit"}))
	l.text("description", "case "+l.hex(4)+", "+text)
	l.text("museQuery", `<?xml version="1.0"?><xmlquery trace="iql"><metadata query-type="emailarchive" page-size="25"/></xmlquery>`)
	l.truth("isAdmin", l.oneIn(2))
	l.maybe("searchPath", l.pick([]string{"", "Archive/Inbox"}))
	return how
}

func writeArchiveView(l *line, h happening) spelling {
	how := l.spelling()
	l.text("viewer", l.address(inside))
	l.text("source", l.pick([]string{"Archive", "Message Tracking"}))
	l.text("viewed", h.time)
	l.text("from", l.address(outside))
	l.text("to", l.address(inside))
	l.text("subject", l.pick(subjects)+" ["+l.hex(4)+"]")
	l.text("messageDate", h.at.Add(-time.Duration(l.below(1<<21))*time.Second).Format(timeLayout))
	l.truth("contentViewed", l.oneIn(2))
	l.truth("discoveryCase", l.oneIn(8))
	return how
}

// party returns an address as the gateway's logs have it.
func party(l *line, domains []string) value {
	name := value{}
	if l.oneIn(2) {
		name = textValue(l.pick(names))
	}
	return objectOf(member{"displayableName", name}, member{"emailAddress", textValue(l.address(domains))})
}

func writeRelease(l *line, h happening) spelling {
	how := l.spelling()
	l.text("id", h.id)
	if h.undated {
		l.text("status", "rejected")
		l.text("rejectReason", "Message goes against email policies")
	} else {
		l.text("status", "released")
		l.text("released", h.time)
	}
	l.text("heldReason", l.pick([]string{"Spam Signature Policy", "Attachment Policy", "Impersonation Protect"}))
	l.text("messageInfo", "Content in message "+l.hex(6))
	l.add("operator", objectOf(member{"emailAddress", textValue(l.address(inside))}))
	l.add("fromEnv", party(l, outside))
	l.add("fromHdr", party(l, outside))
	to := []value{party(l, inside)}
	if l.oneIn(3) {
		to = append(to, party(l, inside))
	}
	l.add("to", arrayOf(to...))
	l.maybe("subject", l.pick(append([]string{""}, subjects...)))
	l.truth("attachments", l.oneIn(2))
	l.text("route", l.pick(logRoutes))
	l.number("size", 1000+l.below(5_000_000))
	l.text("policy", l.pick([]string{"Default Spam Scanning", "Suspicious attachments | hold"}))
	l.number("spamScore", l.below(30))
	l.text("detectionLevel", l.pick([]string{"", "relaxed", "moderate", "aggressive"}))
	l.object("spamProcessingDetail",
		member{"greyEmail", truthValue(l.oneIn(2))},
		member{"spf", objectOf(member{"allow", truthValue(true)}, member{"info", textValue(l.pick(checks))})},
		member{"dkim", arrayOf(objectOf(member{"allow", truthValue(false)}, member{"info", textValue(l.pick(checks))}))},
		member{"spamVerdict", objectOf(member{"risk", textValue("negligible")}, member{"score", value{kind: kindLiteral, text: "0." + strconv.Itoa(l.below(100)) + "5"}})})
	if l.oneIn(3) {
		l.text("heldGroup", "Administrators")
	}
	return how
}

func writeRejectionLog(l *line, h happening) spelling {
	how := l.spelling()
	to := l.address(inside)
	kind := rejections[l.below(len(rejections))]
	l.text("id", h.id)
	l.text("created", h.time)
	l.text("description", kind[2])
	l.text("detectionLevel", l.pick([]string{"", "relaxed", "moderate"}))
	l.text("fromAddress", l.pick([]string{"<>", l.address(outside)}))
	l.text("info", kind[1]+" "+kind[2])
	l.text("ipAddress", l.ip())
	l.truth("manageRecipient", l.oneIn(2))
	l.text("remoteEhlo", "mail-"+l.hex(2)+".partner.example")
	l.maybe("remoteName", l.pick([]string{"", "mail.partner.example"}))
	l.number("spamScore", l.below(30))
	l.text("toAddress", to)
	l.text("toAddressPostCheck", to)
	l.text("toAddressPreCheck", to)
	l.text("type", kind[0])
	return how
}
