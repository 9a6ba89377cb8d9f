async def test_smoke(house):
    r = await house.book(start="2026-12-01T18:00:00+01:00", resource_ids=house.ids("t1"))
    print(r.status_code, r.text)
    assert r.status_code == 201
    r = await house.book(start="2026-12-01T18:00:00+01:00", resource_ids=house.ids("t1"))
    print(r.status_code, r.text)
    assert r.status_code == 409
