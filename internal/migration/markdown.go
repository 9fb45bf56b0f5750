package migration

import (
	"fmt"
	"slices"
	"strings"
)

// Table returns the fields that API 2.0 has, as a table in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| API 1.0 | API 2.0 | value in API 1.0 | `log_type` |\n|---|---|---|---|\n")
	for _, f := range Fields() {
		if f.New != "" {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", f.Old, f.New, f.Value, f.logTypes())
		}
	}
	return b.String()
}

// Gone returns the fields that API 2.0 does not have, as a table in Markdown.
func Gone() string {
	var b strings.Builder
	b.WriteString("| API 1.0 | `log_type` | note |\n|---|---|---|\n")
	for _, f := range Fields() {
		if f.New == "" {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Old, f.logTypes(), f.Note)
		}
	}
	return b.String()
}

func (f Field) logTypes() string {
	if len(f.LogTypes) == len(LogTypes()) {
		return "all"
	}
	return "`" + strings.Join(f.LogTypes, "` `") + "`"
}

// Filter returns a filter for Fluent Bit's YAML that gives records of API 2.0 the
// names and values of API 1.0.
func Filter() string {
	var names strings.Builder
	for _, logType := range LogTypes() {
		var list []string
		for _, f := range Fields() {
			if f.New != "" && slices.Contains(f.LogTypes, logType) {
				list = append(list, f.Old+"="+f.New+":"+string(f.Value))
			}
		}
		fmt.Fprintf(&names, "          %s = [[\n", logType)
		for _, line := range wrap(list, 100) {
			fmt.Fprintf(&names, "            %s\n", line)
		}
		names.WriteString("          ]],\n")
	}
	return strings.Replace(filter, "NAMES\n", names.String(), 1)
}

// wrap joins words to lines of about so many bytes.
func wrap(words []string, size int) (lines []string) {
	for _, word := range words {
		if n := len(lines); n > 0 && len(lines[n-1])+len(word) < size {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

const filter = "```yaml\n" + `  filters:
    - name: lua
      match: mimecast*
      call: api1
      enable_flb_null: on
      code: |
        -- A name of API 1.0, that of API 2.0, and the value that it had.
        local names = {
NAMES
        }

        local function value(v, was)
          local is = type(v)
          if was == "text" and (is == "number" or is == "boolean") then
            return tostring(v)
          elseif was == "time" and is == "number" then
            return os.date("!%Y-%m-%dT%H:%M:%S+0000", math.floor(v / 1000))
          elseif was == "capital" and is == "string" then
            return (v:gsub("^%l", string.upper))
          elseif was == "lower" and is == "string" then
            return v:lower()
          elseif was == "yesno" and is == "string" then
            return ({["true"] = "Yes", ["false"] = "No"})[v] or v
          end
          return v
        end

        function api1(tag, time, record)
          local list = record.log_source == "siem" and names[record.log_type]
          if not list then
            return 0, time, record
          end
          for old, new, was in list:gmatch("(%w+)=(%w+):(%w+)") do
            local v = record[new]
            if v ~= nil then
              record[new] = nil
              record[old] = value(v, was)
            end
          end
          return 2, time, record
        end
` + "```\n"
