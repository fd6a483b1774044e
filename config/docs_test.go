package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/configuration.md")

const page = "../docs/configuration.md"

// tables are those of the page, by the section that their keys are below.
func tables() map[string]string {
	rows := map[string][]string{}
	for _, k := range Keys() {
		section := "top"
		if at := strings.LastIndexAny(k.Path, "."); at > 0 {
			section = k.Path[:at]
		}
		rows[section] = append(rows[section], row(k))
	}
	all := map[string]string{}
	for section, r := range rows {
		all[section] = "| key | what it is | meaning | default | bounds |\n| --- | --- | --- | --- | --- |\n" + strings.Join(r, "")
	}
	return all
}

func row(k Key) string {
	name := k.Path[strings.LastIndexAny(k.Path, ".")+1:]
	def := ""
	switch {
	case k.Required:
		def = "must be there"
	case k.Default != "":
		def = "`" + shown(k.Default) + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", name, k.Type, k.Help, def, shown(k.Bounds))
}

var marked = regexp.MustCompile(`(?s)<!-- keys: (\S+) -->\n.*?<!-- end -->`)

// TestEveryKeyIsInTheDocuments: the tables of the page are made from the structs; go test
// ./config -run Documents -update writes them.
func TestEveryKeyIsInTheDocuments(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	all := tables()
	want := marked.ReplaceAllStringFunc(string(text), func(found string) string {
		section := marked.FindStringSubmatch(found)[1]
		table, ok := all[section]
		if !ok {
			t.Errorf("%s has a table of %s, which has no keys", page, section)
		}
		delete(all, section)
		return "<!-- keys: " + section + " -->\n" + table + "<!-- end -->"
	})
	for section := range all {
		t.Errorf("%s has no table of %s: write <!-- keys: %s --> and <!-- end --> where it belongs", page, section, section)
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Errorf("%s differs from the structs; go test ./config -run Documents -update", page)
	}
}

var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestConfigurationsOfTheDocumentsAreRead as they stand there.
func TestConfigurationsOfTheDocumentsAreRead(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found := block.FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Fatal("no configuration in the page")
	}
	for _, m := range found {
		if _, err := parse(m[1], "KAFKA_PASSWORD", "p", "HOOK_TOKEN", "t", "conf/secrets/hook-url", "https://h/x", "conf/conf/redact.key", strings.Repeat("a7", 32), "conf/conf/state.key", strings.Repeat("a7", 32)); err != nil {
			t.Errorf("%v\nof\n%s", err, m[1])
		}
	}
}
