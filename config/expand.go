package config

import (
	"fmt"
	"strings"
)

// expand puts values of the environment into a text: ${VAR}, and ${VAR:-default} where the
// variable may be unset or empty. $${ is the text ${. A $ before anything else is itself.
// What comes out is not looked at again. Errors name variables and no values.
func expand(text string, env func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		at := strings.Index(text, "${")
		if at < 0 {
			out.WriteString(text)
			return out.String(), nil
		}
		if at > 0 && text[at-1] == '$' {
			out.WriteString(text[:at-1] + "${")
			text = text[at+2:]
			continue
		}
		inner, rest, ok := strings.Cut(text[at+2:], "}")
		if !ok {
			return "", fmt.Errorf("${ without its }; for the text ${ write $${")
		}
		value, err := variable(inner, env)
		if err != nil {
			return "", err
		}
		out.WriteString(text[:at] + value)
		text = rest
	}
}

// variable returns the value of what stands between ${ and }.
func variable(inner string, env func(string) (string, bool)) (string, error) {
	name, other, hasDefault := strings.Cut(inner, ":-")
	if !isVariable(name) {
		return "", fmt.Errorf("${…} holds the name of a variable, of letters, digits and _, perhaps with :- and a default; for the text ${ write $${")
	}
	value, set := env(name)
	switch {
	case value == "" && hasDefault:
		return other, nil
	case !set:
		return "", fmt.Errorf("the environment has no variable %s; set it, or write a default as ${%s:-…}", name, name)
	}
	return value, nil
}

func isVariable(name string) bool {
	for i, c := range name {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// expands reports whether a text asks for the environment.
func expands(text string) bool { return strings.Contains(text, "${") }
