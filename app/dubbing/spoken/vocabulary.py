"""The words by which a sound is told from a name, and a name from a sentence that has a colon. Lower case; of the
languages that most subtitles are in. Where a word is missing, the text is left out all the same (it stood in brackets);
only who speaks may not be told.
"""

from __future__ import annotations

import re
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Brackets that begin with one of these hold a sound, or how something is said.
SOUNDS = _words("""
    alarm applause audience bang barking beep beeps bell bells birds blast bleep breathes breathing buzzer cackles cheering cheers chatter chime
    chirping chuckle chuckles clapping clattering clears cough coughs crash creaks cries crowd crying dog door doorbell engine echoing exclaims
    exhales explosion explosions footsteps gasp gasps giggles groans growls grunts gun gunfire gunshot gunshots horn inaudible indistinct inhales
    in intro knock knocking knocks laugh laughs laughing laughter mimics moans muffled mumbles murmuring noise outro panting pants phone quietly
    rain ring ringing ringtone rings roars rumbling scoffs scream screaming screams shouting shouts shrieks shudders sigh sighs sighing silence
    singing sings siren sirens snaps sniffles sniffs snores sobbing sobs softly sound sounds speaking speaks splash stammers static stutters thud
    thuds thunder thunderclap unintelligible whimpers whirring whisper whispering whispers whistle whistles whistling wind yawns yelling yells
    applaus beifall donner es gelächter geräusch geräusche hund hupe jubel klingel klingeln klopfen lachen lacht hustet husten motor räuspert
    rauschen schrei schreie schreit schluchzt schuss schüsse seufzen seufzt sirene stille stöhnt tür türklingel unverständlich weint flüstert
    aboiements applaudissements bruit bruits chuchote coup coups cri cris explosion gémit grésillement klaxon pleurs pleure porte rire rires rit
    silence sirène sonnerie soupir soupire soupirs tonnerre toux tousse aplausos disparo disparos golpe gritos grita ladridos llanto llora portazo
    puerta puertas risa risas ríe ruido silencio sirena sollozos susurra suspira suspiro timbre tos tose trueno applausi bussano colpo grida
    pianto piange porta ride risata risate rumore sospira sospiro squillo tosse tuono urla barulho batida choro chora gargalhada grito
    porta risada risos ri silêncio suspiros tosse trovão applaus deur gelach hoest lacht schot zucht śmiech śmieje drzwi kaszle krzyk oklaski
    płacz szept wzdycha wzdycha cisza strzał dzwonek smích povzdech potlesk dveře аплодисменты взрыв вздох вздыхает выстрел выстрелы гудок
    дверь звонок кашель кашляет крик крики лай музыкальная плач плачет сигнал сирена смех смеётся смеется стук стон тишина шепчет шёпот шум
    сміх зітхає оплески kahkaha alkış gülüyor gülüşmeler iç kapı öksürük silah sessizlik çığlık
""")
# Languages, and words for what could not be heard: "[Hindi]", "(inaudible)".
SOUNDS |= _words("""
    arabic chinese dutch english french german greek hebrew hindi italian japanese korean latin mandarin marathi polish portuguese punjabi russian
    sanskrit spanish turkish ukrainian urdu foreign mantra mantras prayer inaudibly indistinctly unclear untranslated deutsch englisch
    französisch russisch spanisch unhörbar anglais français allemand inaudible inglés francés inaudible inglese francese гинди английский
    неразборчиво неразбірливо нерозбірливо гінді англійська мантра мантри смеясь сміючись
""")
# Alone in brackets these are words that an editor put into somebody's sentence: "many [of] these". They are spoken.
INSERTED: Final = _words("""
    of that is on in at a an the to so too which who it was were are be been has have had and or but with for from by as not he she they we you i
    his her their our my your this these those there if then when what do does did will would can could than about into also
    der die das den dem ein eine und oder aber mit für von zu ist war sind nicht er sie es wir ihr dass wenn
    le la les un une des et ou mais avec pour de à est sont ne pas il elle nous vous que qui se ce
    el los las una y o pero con para es son no él ella que se lo il gli e ma con per di è sono non lui lei che um uma os as mas com é são não ele ela
    и или но с для от к это он она мы вы что как не если і або але з для від до це він вона ми ви що як не якщо про
""")
SOUND_SIGNS: Final = re.compile(
    r"[音声聲笑泣鳴叫歓喝咳息拍手风風雷枪槍哭叹嘆]|チャイム|サイレン|ノイズ|웃음|박수|한숨|소리|صوت|ضحك|تصفيق|موسيقى|צחוק|מחיאות|तालियां|हँसी|เสียง|หัวเราะ"
)
MUSIC: Final = re.compile(
    r"\b(?:music|song|theme|singing|sings|humming|hums|musik|lied|gesang|musique|chanson|chante|música|musica|canción|canzone|canta|canção"
    r"|muziek|muzyka|piosenka|hudba|музыка|песня|поёт|поет|музика|müzik|şarkı|μουσική|zene|muzică|musik|musiikki|nhạc|musikk)\b"
    r"|音楽|音乐|音樂|歌|曲|♪|음악|노래|موسيقى|أغنية|מוזיקה|מוסיקה|संगीत|ดนตรี|เพลง",
    re.IGNORECASE,
)

# Who may speak without a name: labels at once, wherever they stand before a colon.
ROLES: Final = _words("""
    narrator announcer reporter newsreader anchor host interviewer man woman boy girl child children kid kids baby male female voice voiceover
    crowd all both everyone together guard officer soldier soldiers driver operator computer doctor nurse teacher waiter waitress clerk judge
    erzähler erzählerin sprecher sprecherin mann frau junge mädchen kind kinder stimme alle beide reporter moderator lehrer arzt
    narrateur narratrice homme femme garçon fille enfant enfants voix tous journaliste narrador narradora hombre mujer niño niña niños voz todos
    ambos locutor locutora presentador narratore narratrice uomo donna ragazzo ragazza bambino voce tutti homem mulher menino menina criança
    ambos verteller man vrouw jongen meisje stem iedereen narrator lektor mężczyzna kobieta chłopiec dziewczynka głos wszyscy muž žena chlapec
    hlas všichni рассказчик диктор мужчина женщина мальчик девочка голос все оба ведущий репортёр чоловік жінка anlatıcı adam kadın çocuk ses
    hepsi αφηγητής άντρας γυναίκα férfi nő narrátor bărbat femeie narator kertoja mies nainen berättare man kvinna røst fortæller mand kvinde
    旁白 男 女 众人 眾人 男声 女声 記者 记者 ナレーター ナレーション 男性 女性 一同 내레이터 남자 여자 기자 모두 الراوي رجل امرأة المذيع קריין גבר אישה वाचक आदमी औरत ผู้บรรยาย ผู้ชาย ผู้หญิง
""")
TITLES: Final = _words(
    "mr mrs ms miss dr prof sir lady lord capt captain sgt lt col gen inspector detective herr frau dr m mme mlle sr "
    "sra srta don doña dott sig"
)
# A full stop behind one of these ends a sentence only before a capital.
ABBREVIATIONS: Final = _words(
    "st vs e.g i.e jr no vol inc ltd co corp approx dept fig gen mt ave z.b d.h bzw ca nr str hr fr ud uds np tj t.e "
    "ул г pp cf al"
)

# What stands before a colon and is no name.
NOT_NAMES: Final = _words("""
    theorem proof definition lemma corollary remark exercise input output pros cons advantages disadvantages ingredients method instructions
    requirement requirements goals purpose function formula equation option options features benefits comment comments translation breaking live new
    free tl;dr q&a
    note notes notice warning caution attention danger important remember reminder example examples question questions answer answers problem
    problems solution result results reason reasons fact facts tip tips hint rule rules step steps chapter part episode season act scene section
    page level round day week month year number no item point phase stage verse lesson unit figure table task goal date time place location
    address phone email mail web website source sources summary conclusion however but and so yes ok okay well now look listen first second third
    fourth fifth finally next last ps p.s. p.p.s. nb n.b. fyi faq todo update edit spoiler status score total price cost cause title subject
    name age weight height today tomorrow yesterday i he she it we you they this that these those the a an what why how who when where
    achtung hinweis anmerkung beispiel frage antwort problem lösung ergebnis kapitel teil folge schritt regel tag fazit ja nein also er sie ich
    wir das der die warnung wichtig attention remarque note exemple question réponse problème résultat chapitre partie épisode étape règle jour
    conclusion oui non il elle je nous vous atención aviso nota ejemplo pregunta respuesta problema solución resultado capítulo parte episodio
    paso regla día conclusión sí él ella yo attenzione avviso esempio domanda risposta soluzione risultato capitolo episodio passo giorno
    conclusione atenção exemplo pergunta resposta solução capítulo passo dia conclusão let op voorbeeld vraag antwoord oplossing hoofdstuk deel
    stap uwaga przykład pytanie odpowiedź rozwiązanie rozdział część krok pozor otázka odpověď kapitola внимание примечание пример вопрос ответ
    проблема решение результат глава часть серия шаг правило день итог да нет он она я мы dikkat örnek soru cevap bölüm προσοχή ερώτηση
    απάντηση 注意 警告 例如 问题 問題 答案 回答 第一 第二 第三 时间 時間 地点 地點 提示 结果 結果 注 例 質問 答え 結論 場所 日時 주의 질문 대답 예 ملاحظة تحذير سؤال جواب مثال שאלה תשובה הערה ध्यान प्रश्न उत्तर คำถาม คำตอบ
""")
SAYING: Final = re.compile(
    r"(?:说|說|道|问|問|答|喊|叫|曰|言った|言う|聞いた|말했다|قال|قالت|אמר|אמרה|कहा|พูดว่า|บอกว่า)$"
)
PARTICLES: Final = _words(
    "of the de la le du del della der den des di da do dos van von und and & y et e on in at over from to"
)

# Who made the subtitles, at the start of a line. These alone are also said of other things: names follow, and no
# sentence.
MADE: Final = re.compile(
    r"^\W*(?:translated|translation|corrected|corrections?|edited|encoded|ripped|timed|timing|typesetting|transcript|transcribed|created|provided|downloaded)"
    r"(?:(?:\s*[,&]\s*|\s+and\s+)\w+)*\s+(?:by|from)\b\s*:?(?P<who>.*)$",
    re.IGNORECASE,
)
CREDIT: Final = re.compile(
    r"^\W*(?:(?:english |closed |original "
    r")?(?:subs|subtitles?|subtitling|subbed|captions?|captioned|captioning|transcription)(?:[\s,&]+\w+){0,3}?\s+(?:by|from)\b"
    r"|(?:re-?)?sync(?:ed|hroni[sz]ed)?(?:[\s,&]+\w+){0,3}?\s+by\b"
    r"|untertitel(?:ung)?(?:\s+(?:im "
    r"auftrag|von|der|des)\b|\s*:)|sous-?titr(?:es|age)(?:\s+(?:réalisés?|par|de|fait|:)|\s*:)|sottotitoli\b.*(?:a "
    r"cura|di|:)"
    r"|(?:sub)?títulos?\s+(?:por|de|hechos|realizados)\b|legendas?\s+(?:por|pela|de|:)|ondertitel(?:ing|d)\s*(?:door|:|van)"
    r"|napisy\s*(?::|przez|stworzone|by)|titulky\s*(?::|přeložil|vytvořil)|субтитры\s*(?::|сделал|создал|подготов|предоставлен|от\b)|редактор субтитров"
    r"|altyazı\s*(?::|çeviri)|feliratot?\s*(?::|készítette)|υπότιτλοι\b|tekstitys\s*:|undertext(?:er|ning)?\s*(?:av|från|:)"
    r"|字幕(?:[:：]|制作|製作|组|組|翻译|翻譯|志愿者|by)|翻译[:：]|翻譯[:：]|자막\s*(?:제작|:|by)|ترجمة\s*[:：]|תרגום\s*[:：])",
    re.IGNORECASE,
)
CREDIT_ANYWHERE: Final = re.compile(
    r"opensubtitles|amara\.org|addic7ed|subscene|podnapisi|tvsubtitles|yify|subdl\.com|DimaTorzok", re.IGNORECASE
)
