# content_hash(RESULT PAGE ELEMENT): the SHA-256 of what stands between <ELEMENT>
# and </ELEMENT> in the text PAGE, in base64, as a Content-Security-Policy names
# an inline style or script (CSP 3, 6.7.3).
function(content_hash result page element)
  string(FIND "${page}" "<${element}>" begin)
  string(FIND "${page}" "</${element}>" end)
  if(begin EQUAL -1 OR end EQUAL -1)
    message(FATAL_ERROR "The page has no <${element}>")
  endif()
  string(LENGTH "<${element}>" tag)
  math(EXPR begin "${begin} + ${tag}")
  math(EXPR length "${end} - ${begin}")
  string(SUBSTRING "${page}" ${begin} ${length} content)
  string(SHA256 hex "${content}")

  # 32 bytes are 42 digits of six bits, and four bits more.
  set(digits ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  set(base64 "")
  foreach(position RANGE 0 63 3)
    string(SUBSTRING "${hex}00" ${position} 3 three)
    math(EXPR high "0x${three} >> 6")
    math(EXPR low "0x${three} & 63")
    string(SUBSTRING "${digits}" ${high} 1 high)
    string(SUBSTRING "${digits}" ${low} 1 low)
    string(APPEND base64 "${high}${low}")
  endforeach()
  # 66 hex digits are 44 of base64; the last one stands for nothing.
  string(SUBSTRING "${base64}" 0 43 base64)
  set(${result} "${base64}=" PARENT_SCOPE)
endfunction()
