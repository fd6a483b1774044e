package event

import "errors"

// Errors of [ParseTime].
var (
	ErrTimeSyntax = errors.New("not an RFC 3339 time")
	ErrTimeRange  = errors.New("time out of range: only 1677-09-21 to 2262-04-11 fit")
)

const (
	secondsPerDay = 86400
	nanoseconds   = 1_000_000_000 // in a second
	// The last whole second whose nanoseconds fit int64 in both directions.
	lastSecond = 9223372036
)

// ParseTime reads an RFC 3339 time with any fraction and offset and returns
// nanoseconds since the Unix epoch. What a fraction has beyond nanoseconds is cut
// off. "t", "z", a space for the T and a comma for the dot are read too; a leap second counts
// as the second after it. The error is ErrTimeSyntax or ErrTimeRange; nothing is
// allocated.
func ParseTime(s string) (int64, error) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' ||
		s[10]|0x20 != 't' && s[10] != ' ' || s[13] != ':' || s[16] != ':' {
		return 0, ErrTimeSyntax
	}
	year, month, day := two(s, 0)*100+two(s, 2), two(s, 5), two(s, 8)
	hour, minute, second := two(s, 11), two(s, 14), two(s, 17)
	if (two(s, 0)|two(s, 2)|month|day|hour|minute|second) < 0 ||
		month == 0 || month > 12 || day == 0 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 60 || second == 60 && minute != 59 {
		return 0, ErrTimeSyntax
	}
	nano, rest := fraction(s[19:])
	offset, ok := zoneOffset(rest)
	if nano < 0 || !ok {
		return 0, ErrTimeSyntax
	}
	secs := daysSinceEpoch(year, month, day)*secondsPerDay + int64(hour*3600+minute*60+second) - offset
	return joinNanos(secs, nano)
}

// joinNanos adds seconds and 0 <= nano < 1e9.
func joinNanos(secs, nano int64) (int64, error) {
	if secs < 0 {
		secs, nano = secs+1, nano-nanoseconds
	}
	if secs > lastSecond || secs < -lastSecond {
		return 0, ErrTimeRange
	}
	n := secs*nanoseconds + nano
	if secs > 0 && n < 0 || secs < 0 && n > 0 {
		return 0, ErrTimeRange
	}
	return n, nil
}

// two reads two digits at i; negative where they are none.
func two(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

// fraction reads an optional ".digits" or, as ISO 8601 has it too, ",digits" and returns nanoseconds and what follows;
// negative where the dot has no digit.
func fraction(s string) (int64, string) {
	if s[0] != '.' && s[0] != ',' {
		return 0, s
	}
	var n int64
	i := 1
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		if i <= 9 {
			n = n*10 + int64(s[i]-'0')
		}
	}
	if i == 1 {
		return -1, s
	}
	for k := i; k <= 9; k++ {
		n *= 10
	}
	return n, s[i:]
}

// zoneOffset reads Z or ±hh:mm and returns seconds east of Greenwich.
func zoneOffset(s string) (int64, bool) {
	if len(s) == 1 {
		return 0, s[0]|0x20 == 'z'
	}
	if len(s) != 6 || s[3] != ':' || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, m := two(s, 1), two(s, 4)
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	secs := int64(h*3600 + m*60)
	if s[0] == '-' {
		secs = -secs
	}
	return secs, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSinceEpoch counts days in the proleptic Gregorian calendar, in years that
// begin in March so that the leap day is the last of its year, and in eras of 400
// such years, which all have the same length.
func daysSinceEpoch(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	inEra := year % 400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return int64(era)*146097 + int64(inEra*365+inEra/4-inEra/100+dayOfYear) - 719468
}

// dateOf is the inverse of daysSinceEpoch, for times that fit int64 nanoseconds.
func dateOf(days int64) (year, month, day int) {
	days += 719468
	era, left := int(days/146097), int(days%146097)
	inEra := (left - left/1460 + left/36524 - left/146096) / 365
	dayOfYear := left - (inEra*365 + inEra/4 - inEra/100)
	m := (5*dayOfYear + 2) / 153
	year, month, day = era*400+inEra, m+3, dayOfYear-(153*m+2)/5+1
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

// AppendTime appends a time in nanoseconds since the Unix epoch as RFC 3339 in UTC,
// its fraction without trailing zeros.
func AppendTime(b []byte, ns int64) []byte {
	secs, nano := ns/nanoseconds, ns%nanoseconds
	if nano < 0 {
		secs, nano = secs-1, nano+nanoseconds
	}
	days, second := secs/secondsPerDay, secs%secondsPerDay
	if second < 0 {
		days, second = days-1, second+secondsPerDay
	}
	year, month, day := dateOf(days)
	b = appendTwo(appendTwo(b, year/100), year%100)
	b = appendTwo(append(b, '-'), month)
	b = appendTwo(append(b, '-'), day)
	return appendTimeOfDay(b, second, nano)
}

// appendTimeOfDay appends what follows the date.
func appendTimeOfDay(b []byte, second, nano int64) []byte {
	of := uint32(second)
	h, m, s := byte(of/3600), byte(of/60%60), byte(of%60)
	b = append(b, 'T', '0'+h/10, '0'+h%10, ':', '0'+m/10, '0'+m%10, ':', '0'+s/10, '0'+s%10)
	return append(appendFraction(b, nano), 'Z')
}

func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// appendFraction appends ".digits" for nanoseconds, without zeros at the end; nothing for 0.
func appendFraction(b []byte, nano int64) []byte {
	if nano == 0 {
		return b
	}
	n, digits := uint32(nano), 9
	for n%1000 == 0 {
		n, digits = n/1000, digits-3
	}
	for n%10 == 0 {
		n, digits = n/10, digits-1
	}
	at := len(b) + 1
	b = append(b, ".000000000"[:digits+1]...)
	for i := at + digits - 1; i >= at; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}
